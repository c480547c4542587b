import { isolated, StoredRecord } from "../../record/record.ts";
import type { KvRecord } from "../../record/types.ts";
import type { QuickItems } from "../adapter.ts";
import { foreign } from "../../record/text-format.ts";
import { deadlinesOf } from "./deadlines.ts";

/**
 * Any Map: its own keys that are no strings, and values that this library did not write, are left
 * alone.
 */
export type MapLike = Map<unknown, unknown>;

/** The single records of a Map. */
export interface MapItems extends QuickItems {
  read(key: string): StoredRecord | null;
  set(key: string, record: KvRecord | null): void;
}

/** The single records of a Map. */
export function mapItems(map: MapLike): MapItems {
  const deadlines = deadlinesOf(map);
  const read = (key: string): StoredRecord | null => {
    const item = map.get(key);
    if (item instanceof StoredRecord) return item;
    if (item === undefined) return null;
    throw foreign(key);
  };
  const remove = (key: string): void => {
    deadlines.index?.note(key);
    map.delete(key);
  };
  return {
    read,
    get(key) {
      const record = read(key);
      return record && isolated(record);
    },
    set(key, record) {
      if (record === null) return remove(key);
      if (record.expires !== null) deadlines.known = true;
      if (deadlines.index !== undefined && !map.has(key)) deadlines.index.note(key);
      map.set(key, record);
    },
    del: remove,
  };
}
