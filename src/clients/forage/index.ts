import { withTabs } from "../shared/tab-channel.ts";
import { type ForageItems, itemOf, recover, writeItem, writeTogether } from "./journal.ts";
import { FORAGE } from "../manifests.ts";
import type { StoredRecord } from "../../record/record.ts";
import { failedChecks } from "../../record/freshness.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";
import { committed } from "../shared/all-or-nothing.ts";
import { noteAfter } from "../shared/dated-writes.ts";
import { deadlinesOf } from "../shared/deadlines.ts";
import { webLock } from "./web-lock.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Write } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

/** A localForage instance, whatever its driver. */
export interface ForageLike extends ForageItems {
  ready(): Promise<void>;
  driver(): string;
  config(): { name?: string; storeName?: string };
  keys(): Promise<string[]>;
}

/** How many items are read side by side. */
const BATCH = 100;

/**
 * Keeps records in a localForage instance, as texts. A missing key is `null`. An expired record is
 * removed when it is read, by a sweep that rides on writes, or by `prune()`. Items that this
 * library did not write are left alone. The instance is never closed or dropped.
 *
 * `supports.atomic` is `"process"`, since a driver may keep its data where tabs see each other's
 * writes late (localStorage does). With the IndexedDB driver, and Web Locks in the browser, commits
 * hold across tabs as well.
 *
 * @throws {KvError} KV_QUOTA when the storage is full: the old value is still there.
 * @example
 * ```js browser
 * import kv from "anykv";
 * import localForage from "localforage";
 *
 * const store = kv(localForage);
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const forage: ClientFactory<ForageLike, Record<never, never>> = defineClient({
  ...FORAGE,
  async open(client: ForageLike): Promise<Adapter> {
    const { name, storeName } = client.config();
    const guard = webLock(`anykv:${JSON.stringify([name, storeName])}`);
    await guard(() => recover(client));
    const deadlines = deadlinesOf(client);

    async function* iterate(
      prefix: string,
      values: boolean,
    ): AsyncGenerator<readonly [string, StoredRecord] | null> {
      const keys = (await client.keys()).filter(
        (key) => typeof key === "string" && key.startsWith(prefix),
      );
      for (let i = 0; i < keys.length; i += BATCH) {
        const batch = keys.slice(i, i + BATCH);
        const items = await Promise.all(batch.map((key) => itemOf(client, key)));
        for (const [at, key] of batch.entries()) {
          const record =
            typeof items[at] === "string" ? decodeRecord(items[at], key, values) : null;
          if (record !== null) yield [key, record];
        }
        // Items may be large: no more than these at once.
        yield null;
      }
    }

    // Side by side with other writes, never in the middle of a commit.
    const setMany = (writes: readonly Write[]): Promise<void> => {
      const texts = writes.map(({ key, record }) => [key, record && encodeRecord(record)] as const);
      const writeTexts = async (): Promise<void> => {
        const results = await Promise.allSettled(
          texts.map(([key, text]) => writeItem(client, key, text)),
        );
        for (const result of results) if (result.status === "rejected") throw result.reason;
      };
      const keys = texts.map(([key]) => key);
      return noteAfter(deadlines, writes, () => guard(writeTexts, keys));
    };

    const adapter: Adapter = {
      deadlines,
      get: async (key) => recordIn(await itemOf(client, key), key),
      set: (key, record) => setMany([{ key, record }]),
      del: (key) => setMany([{ key, record: null }]),
      setMany,
      iterate,
      commit: (checks, writes, now) =>
        guard(async () => {
          const found = new Map<string, StoredRecord | null>();
          for (const { key } of checks)
            found.set(key, recordIn(await itemOf(client, key), key, false));
          const failed = failedChecks(checks, (key) => found.get(key) ?? null, now);
          if (failed.length > 0) return { ok: false, failed };
          await noteAfter(deadlines, writes, () => writeTogether(client, writes));
          return committed(writes);
        }),
      close: () => guard(async () => {}),
    };
    return withTabs(adapter, "forage", String(name), String(storeName));
  },
});
