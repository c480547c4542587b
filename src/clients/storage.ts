import { STORAGE } from "../manifest.ts";
import { decodeRecord, encodeRecord, failedChecks } from "../record.ts";
import { asQuota, committed, recordIn, writeAll } from "../text.ts";
import type { Adapter, KvRecord } from "../types.ts";
import { type ClientFactory, defineClient } from "./define.ts";

/** `localStorage`, `sessionStorage`, or anything of their shape. Only methods are used: any key is safe. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps records in Web Storage, one item a key. A missing key is `null`. An expired record is removed when it is read, by a sweep that rides on writes, or
 * by `prune()`. Items that this library did not write are left alone.
 *
 * `supports.atomic` is `"process"`: a commit is one synchronous step in this tab. Other tabs are not held off, not even with a
 * Web Lock: browsers show a tab's writes to the next tab with a delay, also after a lock has changed hands.
 *
 * @throws {KvError} KV_QUOTA when the storage is full: the old value is still there.
 * @example
 * ```js browser
 * import kv from "anykv";
 *
 * const store = kv(localStorage);
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const storage: ClientFactory<StorageLike, Record<never, never>> = defineClient({
  ...STORAGE,
  open(client: StorageLike): Adapter {
    const put = (key: string, text: string | null): void => {
      try {
        if (text === null) client.removeItem(key);
        else client.setItem(key, text);
      } catch (error) {
        throw asQuota(error, key);
      }
    };
    const write = (key: string, record: KvRecord | null): string | null => {
      const before = client.getItem(key);
      put(key, record && encodeRecord(record));
      return before;
    };
    const setMany: Adapter["setMany"] = (writes) => writeAll(writes, ({ key, record }) => write(key, record), put);

    return {
      get: (key) => recordIn(client.getItem(key), key),
      set: (key, record) => put(key, encodeRecord(record)),
      del: (key) => client.removeItem(key),
      setMany,
      *iterate(prefix, values) {
        // All keys first: the order of `key(i)` may change with every write.
        const keys = Array.from({ length: client.length }, (_, i) => client.key(i));
        for (const key of keys) {
          if (key === null || !key.startsWith(prefix)) continue;
          const text = client.getItem(key);
          const record = text === null ? null : decodeRecord(text, key, values);
          if (record !== null) yield [key, record];
        }
      },
      commit(checks, writes, now) {
        const failed = failedChecks(checks, (key) => recordIn(client.getItem(key), key, false), now);
        if (failed.length > 0) return { ok: false, failed };
        setMany(writes);
        return committed(writes);
      },
    };
  },
});
