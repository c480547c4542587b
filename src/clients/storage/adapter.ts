import { failedChecks, isFresh } from "../../record/freshness.ts";
import { putText, storageItems, type StorageLike } from "./items.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../record/text-format.ts";
import { committed, writeAll } from "../shared/all-or-nothing.ts";
import { deadlinesOf } from "../shared/deadlines.ts";
import { storageFeed } from "./feed.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Adapter, PruneQuery } from "../adapter.ts";

const adapters = new WeakMap<StorageLike, Adapter>();

/** Keeps records in Web Storage. Stores over one storage share an adapter, and its sweeps. */
export function storageAdapter(client: StorageLike): Adapter {
  const adapter = adapters.get(client) ?? adapterOver(client);
  adapters.set(client, adapter);
  return adapter;
}

function adapterOver(client: StorageLike): Adapter {
  const deadlines = deadlinesOf(client);
  const write = (key: string, record: KvRecord | null): string | null => {
    const before = client.getItem(key);
    if (record !== null && record.expires !== null) deadlines.known = true;
    putText(client, key, record && encodeRecord(record));
    return before;
  };
  const restore = (key: string, before: string | null): void => putText(client, key, before);
  const setMany: NonNullable<Adapter["setMany"]> = (writes) =>
    writeAll(writes, ({ key, record }) => write(key, record), restore);
  // All keys at once: the order of `key(i)` may change with every write.
  const keys = (): (string | null)[] =>
    Array.from({ length: client.length }, (_, i) => client.key(i));

  return {
    ...storageItems(client),
    setMany,
    *iterate(prefix, values) {
      for (const key of keys()) {
        if (key === null || !key.startsWith(prefix)) continue;
        const text = client.getItem(key);
        const record = text === null ? null : decodeRecord(text, key, values);
        if (record !== null) yield [key, record];
      }
    },
    prune: pruneOf(client, keys),
    watch: (feed) => storageFeed(client, feed),
    commit(checks, writes, now) {
      const failed = failedChecks(checks, (key) => recordIn(client.getItem(key), key, false), now);
      if (failed.length > 0) return { ok: false, failed };
      setMany(writes);
      return committed(writes);
    },
  };
}

// A sweep ends after this many milliseconds: `key(i)` takes longer for a larger i in some runtimes.
const SLICE_MS = 4;

function pruneOf(
  client: StorageLike,
  keys: () => (string | null)[],
): (query: PruneQuery) => number {
  const deadlines = deadlinesOf(client);
  // A round goes from the last item to the first: deleting an item moves no later item past it.
  let position = 0;

  /** Removes an item if it is an expired record. Returns whether it did. */
  function removeExpired(key: string | null, { prefix, now }: PruneQuery): boolean {
    const text = key === null ? null : client.getItem(key);
    const record = text === null ? null : decodeRecord(text, key!, false);
    if (record === null || record.expires === null) return false;
    deadlines.known = true;
    if (isFresh(record, now) || !key!.startsWith(prefix)) return false;
    client.removeItem(key!);
    return true;
  }

  return (query) => {
    if (query.limit === Infinity) return keys().filter((key) => removeExpired(key, query)).length;
    if (position === 0) {
      if (!deadlines.known) return 0;
      deadlines.known = false;
      position = Infinity;
    }
    position = Math.min(position, client.length);
    let removed = 0;
    const end = performance.now() + SLICE_MS;
    for (let looks = 0; looks < query.limit && position > 0; looks++) {
      // A limit is twice as many looks as there are writes between two sweeps. Half of them are
      // made on a busy machine, too, so that a round ends.
      if (looks >= query.limit / 2 && performance.now() >= end) break;
      if (removeExpired(client.key(--position), query)) removed++;
    }
    return removed;
  };
}
