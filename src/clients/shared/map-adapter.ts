import { type Deadlines, deadlinesOf } from "./deadlines.ts";
import { keyIndexOf, KeyIndex } from "./key-index.ts";
import { mapItems, type MapLike } from "./map-items.ts";
import { isolated, StoredRecord } from "../../record/record.ts";
import { failedChecks } from "../../record/freshness.ts";
import type { Adapter, PruneQuery } from "../adapter.ts";
import { versionOf } from "../../record/version.ts";

const adapters = new WeakMap<MapLike, Adapter>();

/** Keeps records in a Map. Stores over one Map share an adapter, and its sweeps. */
export function mapAdapter(map: MapLike): Adapter {
  const adapter = adapters.get(map) ?? adapterOver(map);
  adapters.set(map, adapter);
  return adapter;
}

/** Sweeps of a Map. Each continues where the last one has stopped. */
class MapSweep {
  readonly #map: MapLike;
  readonly #deadlines: Deadlines;
  /** The position of the current round; `null` between two rounds. */
  #position: MapIterator<[unknown, unknown]> | null = null;

  constructor(map: MapLike, deadlines: Deadlines) {
    this.#map = map;
    this.#deadlines = deadlines;
  }

  prune({ prefix, now, limit }: PruneQuery): number {
    let removed = 0;
    if (limit === Infinity) this.#position = null;
    if (this.#position === null) {
      if (!this.#deadlines.known && limit < Infinity) return 0;
      this.#deadlines.known = false;
      this.#position = this.#map.entries();
    }
    for (let looks = 0; looks < limit; looks++) {
      const { done, value } = this.#position.next();
      if (done) {
        this.#position = null;
        break;
      }
      const [key, record] = value;
      if (!(record instanceof StoredRecord) || record.expires === null) continue;
      this.#deadlines.known = true;
      if (record.expires > now || !(key as string).startsWith(prefix)) continue;
      this.#deadlines.index?.note(key as string);
      this.#map.delete(key);
      removed++;
    }
    return removed;
  }
}

function adapterOver(map: MapLike): Adapter {
  const items = mapItems(map);
  const { read, set: write } = items;
  const deadlines = deadlinesOf(map);
  const sweep = new MapSweep(map, deadlines);
  const index = keyIndexOf(map, () => {
    const made = new KeyIndex({
      all: () => map.keys(),
      has: (key) => map.has(key),
      isDamaged: (size) => size !== map.size,
    });
    deadlines.index = made;
    return made;
  });
  const recordAt = (key: string): StoredRecord | null => {
    const item = map.get(key);
    return item instanceof StoredRecord ? item : null;
  };

  return {
    get: items.get,
    set: write,
    del: items.del,
    has: (key, now) => {
      const record = read(key);
      return record !== null && (record.expires === null || record.expires > now);
    },
    setMany(writes) {
      for (const { key, record } of writes) write(key, record);
    },
    *iterate(prefix, values) {
      // The keys are fixed first: one that is deleted and set again in between would come twice
      // from the Map.
      for (const key of index.keys(prefix, () => [...map.keys()])) {
        const record = recordAt(key);
        if (record !== null) yield [key, values ? isolated(record) : record];
      }
    },
    seek(query) {
      return index.get().page(query, (key) => {
        const record = recordAt(key);
        return record && query.values ? isolated(record) : record;
      });
    },
    prune: (query) => sweep.prune(query),
    clear(prefix) {
      for (const key of index.keys(prefix, () => [...map.keys()]))
        if (key !== prefix && recordAt(key) !== null) items.del(key);
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
