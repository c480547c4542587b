import {
  absent,
  type LevelClient,
  type LevelOperation,
  lockOf,
  opened,
  levelPage,
  UTF8,
} from "./database.ts";
import { writeBatch } from "./writes.ts";
import { LEVEL } from "../manifests.ts";
import { failedChecks, isFresh } from "../../record/freshness.ts";
import { encodeRecord, recordIn } from "../../record/text-format.ts";
import { committed } from "../shared/all-or-nothing.ts";
import type { CommitResult } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

export type { LevelClient } from "./database.ts";

/**
 * Keeps records in a Level database, as texts, whatever encodings the database was made with. A
 * missing key is `null`; expired records are removed by the store. Items of others are skipped by
 * listings and survive `clear()`.
 *
 * A write is in the hands of the operating system before it resolves: it survives the end of the
 * process, not always that of the machine. `commit` holds among all stores of this process, and
 * only one process at a time can open a Level database. The keys of a sublevel belong to its
 * database too: a store over the database lists and clears the records of a store over its
 * sublevel.
 *
 * After a disk error all writes are rejected until the database was closed and opened again:
 * LevelDB would accept them, and lose them at the next open. Reads go on.
 *
 * @throws {KvError} KV_QUOTA when the disk is full; KV_INVALID_CLIENT for a memory-level database
 * with `storeEncoding: "utf8"`, whose order is another.
 * @example
 * import { MemoryLevel } from "memory-level";
 * import kv from "anykv";
 * import { level } from "anykv/clients/level";
 *
 * const store = kv(level(new MemoryLevel()));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const level: ClientFactory<LevelClient, Record<never, never>> = defineClient({
  ...LEVEL,
  async open(db: LevelClient): Promise<Adapter> {
    await opened(db);
    const lock = lockOf(db);
    const pending = new Set<Promise<unknown>>();

    const locked = <T>(keys: readonly string[], task: () => Promise<T>): Promise<T> => {
      const done = lock(keys, task);
      const forget = (): void => void pending.delete(done);
      pending.add(done);
      done.then(forget, forget);
      return done;
    };
    const write = (writes: readonly Write[]): Promise<void> => {
      const operations = writes.map(({ key, record }): LevelOperation =>
        record === null ? { type: "del", key } : { type: "put", key, value: encodeRecord(record) },
      );
      return writeBatch(db, operations);
    };
    async function getMany(keys: readonly string[]): Promise<(KvRecord | null)[]> {
      const texts = keys.length === 0 ? [] : await db.getMany([...keys], UTF8);
      return texts.map((text, i) => recordIn(text, keys[i]!));
    }
    async function commit(
      checks: readonly Check[],
      writes: readonly Write[],
      now: number,
    ): Promise<CommitResult> {
      const records = await getMany(checks.map(({ key }) => key));
      const failed = failedChecks(checks, (_key, place) => records[place]!, now);
      if (failed.length > 0) return { ok: false, failed };
      await write(writes);
      return committed(writes);
    }

    return {
      has: async (key, now) =>
        isFresh(recordIn(await db.get(key, UTF8).catch(absent), key, false), now),
      get: async (key) => recordIn(await db.get(key, UTF8).catch(absent), key),
      getMany,
      set: (key, record) => locked([key], () => write([{ key, record }])),
      del: (key) => locked([key], () => write([{ key, record: null }])),
      setMany: (writes) =>
        locked(
          writes.map(({ key }) => key),
          () => write(writes),
        ),
      page: (query) => levelPage(db, query),
      commit: (checks, writes, now) =>
        locked(
          [...checks, ...writes].map(({ key }) => key),
          () => commit(checks, writes, now),
        ),
      async close() {
        await Promise.allSettled(pending);
        await db.close();
      },
    };
  },
});
