import { isolated } from "./isolated.ts";
import { failedChecks, foreign, StoredRecord, versionOf } from "./record.ts";
import type { Adapter, KvRecord } from "./types.ts";

/** Any Map: its own keys that are no strings, and values that this library did not write, are left alone. */
export type MapLike = Map<unknown, unknown>;

/** Keeps records in a Map. */
export function mapAdapter(map: MapLike): Adapter {
  // A sweep walks the Map a little further each time, and rests while a whole round has met no deadline.
  let position = map.entries();
  let deadlines = true;
  let deadlinesInRound = false;

  const read = (key: string): StoredRecord | null => {
    const item = map.get(key);
    if (item instanceof StoredRecord) return item;
    if (item === undefined) return null;
    throw foreign(key);
  };
  const write = (key: string, record: KvRecord | null): void => {
    if (record === null) return void map.delete(key);
    if (record.expires !== null) deadlines = deadlinesInRound = true;
    map.set(key, record);
  };

  return {
    get(key) {
      const record = read(key);
      return record === null ? null : isolated(record);
    },
    set: write,
    del: (key) => void map.delete(key),
    has: (key, now) => {
      const record = read(key);
      return record !== null && (record.expires === null || record.expires > now);
    },
    setMany(writes) {
      for (const { key, record } of writes) write(key, record);
    },
    *iterate(prefix, values) {
      // The keys are fixed first: one that is deleted and set again in between would come twice from the Map.
      for (const key of [...map.keys()]) {
        if (typeof key !== "string" || !key.startsWith(prefix)) continue;
        const record = map.get(key);
        if (record instanceof StoredRecord) yield [key, values ? isolated(record) : record];
      }
    },
    prune({ prefix, now, limit }) {
      let removed = 0;
      if (limit === Infinity) position = map.entries();
      else if (!deadlines) return 0;
      for (let seen = 0; seen < limit; seen++) {
        const { done, value } = position.next();
        if (done) {
          position = map.entries();
          deadlines = deadlinesInRound;
          deadlinesInRound = false;
          break;
        }
        const [key, record] = value;
        if (!(record instanceof StoredRecord) || record.expires === null) continue;
        deadlinesInRound = true;
        if (record.expires > now || !(key as string).startsWith(prefix)) continue;
        map.delete(key);
        removed++;
      }
      return removed;
    },
    commit(checks, writes, now) {
      const failed = failedChecks(checks, read, now);
      if (failed.length > 0) return { ok: false, failed };
      let version = "";
      for (const { key, record } of writes) {
        write(key, record);
        if (record !== null) version = versionOf(record) ?? "";
      }
      return { ok: true, version };
    },
  };
}
