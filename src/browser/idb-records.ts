import { KvError } from "../errors.ts";
import { INDEX, result } from "./idb-connection.ts";
import { decodeRecord, encodeRecord, foreign, StoredRecord } from "../record.ts";
import type { KvRecord, Page, PageQuery, PruneQuery, Write } from "../types.ts";

/** What is kept under a key: the same text as elsewhere, and the deadline once more for the index. */
export interface Item {
  kv: 1;
  expires: number | null;
  text: string;
}

// Databases sort keys by UTF-16 units. Moving the surrogates behind all other units makes that the order of UTF-8.
export const encodeKey = (key: string): string => key.replace(/[\ud800-\uffff]/g, (unit) => shifted(unit, unit < "\ue000" ? 0x2000 : -0x800));
const decodeKey = (key: string): string => key.replace(/[\ud800-\uffff]/g, (unit) => shifted(unit, unit < "\uf800" ? 0x800 : -0x2000));
const shifted = (unit: string, by: number): string => String.fromCharCode(unit.charCodeAt(0) + by);

const isOurs = (item: unknown): item is Item => (item as Partial<Item> | null | undefined)?.kv === 1;

function recordOf({ text }: Item, key: string, values = true): StoredRecord {
  const record = typeof text === "string" ? decodeRecord(text, key, values) : null;
  if (record !== null) return record;
  // A listing without values has to show what `clear()` and `del()` are to remove.
  if (!values) return new StoredRecord(null, null, "", null);
  throw new KvError("KV_CORRUPT", `the record under ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`, { key });
}

/** @throws {KvError} KV_FOREIGN, KV_CORRUPT. */
export async function read(store: IDBObjectStore, key: string, values?: boolean): Promise<KvRecord | null> {
  const item: unknown = await result(store.get(encodeKey(key)));
  if (item === undefined) return null;
  if (!isOurs(item)) throw foreign(key);
  return recordOf(item, key, values);
}

/** The change as two texts, made before anything is waited for. */
export const prepared = ({ key, record }: Write): [key: string, item: Item | null] => [encodeKey(key), record && { kv: 1, expires: record.expires, text: encodeRecord(record) }];

/** Writes and deletes, for the caller's transaction to complete. */
export function put(store: IDBObjectStore, changes: [key: string, item: Item | null][]): void {
  for (const [key, item] of changes) {
    if (item === null) store.delete(key);
    else store.put(item, key);
  }
}

/** The keys and items of a range in one direction, no more than `limit`. */
async function slice(store: IDBObjectStore, range: IDBKeyRange, limit: number, reverse: boolean): Promise<[keys: IDBValidKey[], items: unknown[]]> {
  if (!reverse) return Promise.all([result(store.getAllKeys(range, limit)), result(store.getAll(range, limit))]);
  const keys: IDBValidKey[] = [];
  const items: unknown[] = [];
  const request = store.openCursor(range, "prev");
  for (let cursor = await result(request); cursor !== null; cursor = await result(request)) {
    keys.push(cursor.key);
    items.push(cursor.value);
    if (keys.length === limit) break;
    cursor.continue();
  }
  return [keys, items];
}

/** How many records one transaction reads at most, so that large values do not pile up. */
const BATCH = 100;

/** One page of records in key order, in either direction. */
export async function page(store: IDBObjectStore, { prefix, after, limit, reverse, values }: PageQuery): Promise<Page> {
  // Nothing stands before the key that is the prefix itself, and such a range is refused.
  if (reverse && after === prefix) return { entries: [], next: null };
  const from = encodeKey(prefix);
  // Behind a prefix comes a whole character, which starts below this unit.
  const to = `${from}\uffff`;
  const at = after === null ? null : encodeKey(after);
  const range = reverse ? IDBKeyRange.bound(from, at ?? to, false, true) : IDBKeyRange.bound(at ?? from, to, at !== null, true);
  const count = Math.min(limit, BATCH);
  const [keys, items] = await slice(store, range, count, reverse);
  const decoded = (keys as string[]).map(decodeKey);
  const entries = decoded.flatMap((key, i) => (isOurs(items[i]) ? [[key, recordOf(items[i], key, values)] as const] : []));
  return { entries, next: keys.length < count ? null : decoded.at(-1)! };
}

/**
 * Deletes the expired records under a prefix and answers with how many. Only keys are read, and of expired records alone.
 * A limited call without a prefix looks at no more than the limit.
 */
export async function prune(store: IDBObjectStore, { prefix, now, limit }: PruneQuery): Promise<number> {
  const from = encodeKey(prefix);
  const range = IDBKeyRange.bound([1, -Infinity], [1, now]);
  const keys = await result(store.index(INDEX).getAllKeys(range, prefix === "" && limit < Infinity ? limit : undefined));
  const expired = keys.filter((key) => typeof key === "string" && key.startsWith(from)).slice(0, limit);
  for (const key of expired) store.delete(key);
  return expired.length;
}
