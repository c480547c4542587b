import { failedChecks } from "../../record/freshness.ts";

import { putText, storageItems, type StorageLike } from "./items.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";

import { committed, writeAll } from "../shared/all-or-nothing.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

/** Keeps records in Web Storage. */
export function storageAdapter(client: StorageLike): Adapter {
  const write = (key: string, record: KvRecord | null): string | null => {
    const before = client.getItem(key);
    putText(client, key, record && encodeRecord(record));
    return before;
  };
  const restore = (key: string, before: string | null): void => putText(client, key, before);
  const setMany: NonNullable<Adapter["setMany"]> = (writes) =>
    writeAll(writes, ({ key, record }) => write(key, record), restore);

  return {
    ...storageItems(client),
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
}
