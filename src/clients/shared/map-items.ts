import { isolated, StoredRecord } from "../../record/record.ts";

import type { KvRecord } from "../../record/types.ts";
import type { QuickItems } from "../adapter.ts";
import { foreign } from "../../record/text-format.ts";

/**
 * Any Map: its own keys that are no strings, and values that this library did not write, are left
 * alone.
 */
export type MapLike = Map<unknown, unknown>;

/** The records of a Map, and whether any has a deadline: a sweep rests while there is none. */
export interface MapItems extends QuickItems {
  readonly map: MapLike;
  deadlines: boolean;
  /** Whether any was met or written since the current round of sweeps began. */
  deadlinesInRound: boolean;
  read(key: string): StoredRecord | null;
  set(key: string, record: KvRecord | null): void;
}

// Stores over one Map share what is known of its deadlines.
const known = new WeakMap<MapLike, MapItems>();

/** The single records of a Map. */
export function mapItems(map: MapLike): MapItems {
  const found = known.get(map);
  if (found !== undefined) return found;
  const items: MapItems = {
    map,
    deadlines: true,
    deadlinesInRound: false,
    read(key) {
      const item = map.get(key);
      if (item instanceof StoredRecord) return item;
      if (item === undefined) return null;
      throw foreign(key);
    },
    get(key) {
      const record = items.read(key);
      return record === null ? null : isolated(record);
    },
    set(key, record) {
      if (record === null) return void map.delete(key);
      if (record.expires !== null) items.deadlines = items.deadlinesInRound = true;
      map.set(key, record);
    },
    del: (key) => void map.delete(key),
  };
  known.set(map, items);
  return items;
}
