import { KvError } from "../../errors.ts";
import { ended, INDEX } from "../../platform/indexeddb.ts";
import { ownValue } from "../../platform/lost-indexeddb.ts";
import { StoredRecord } from "../../record/record.ts";
import type { Json } from "../../types.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import type { Page, PageQuery, PruneQuery } from "../adapter.ts";
import { decodeRecord, encodeRecord, foreign } from "../../record/text-format.ts";

/**
 * The value under a key: the same text as elsewhere, and the deadline once more for the index.
 */
export interface Item {
  kv: 1;
  expires: number | null;
  text: string;
  /** Bytes as the value, which is `null` in the text. */
  bytes?: Uint8Array;
}

// Databases sort keys by UTF-16 units. Moving the surrogates behind all other units makes that the
// order of UTF-8.
const rotated = (key: string, by: number): string =>
  key.replace(/[\ud800-\uffff]/g, (unit) =>
    String.fromCharCode(0xd800 + ((unit.charCodeAt(0) - 0xd800 + by) % 0x2800)),
  );
const encodeKey = (key: string): string => rotated(key, 0x2000);
const decodeKey = (key: string): string => rotated(key, 0x800);

/** The record in an item; `null` for a foreign item. @throws {KvError} KV_CORRUPT. */
function recordOf(item: Partial<Item> | null, key: string, values = true): StoredRecord | null {
  if (item?.kv !== 1) return null;
  const record = decodeRecord(item.text!, key, values);
  if (record === null && values)
    throw new KvError(
      "KV_CORRUPT",
      `the record under ${JSON.stringify(key)} is damaged: set() replaces it, del() removes it`,
      { key },
    );
  // A listing without values has to show all keys that `clear()` and `del()` remove.
  if (record !== null && item.bytes !== undefined)
    return new StoredRecord(
      ownValue(item.bytes) as unknown as Json,
      record.expires,
      record.version,
      record.metadata,
    );
  return record ?? new StoredRecord(null, null, "", null);
}

/** @throws {KvError} KV_FOREIGN, KV_CORRUPT. */
export async function read(
  store: IDBObjectStore,
  key: string,
  values?: boolean,
): Promise<KvRecord | null> {
  const item = await ended(store.get(encodeKey(key)));
  const record = recordOf(item, key, values);
  if (record === null && item !== undefined) throw foreign(key);
  return record;
}

/** Writes and deletes, for the caller's transaction to complete. */
export function put(store: IDBObjectStore, writes: readonly Write[]): void {
  for (const { key, record } of writes) {
    const at = encodeKey(key);
    const bytes: unknown = record?.value;
    if (record === null) store.delete(at);
    else if (bytes instanceof Uint8Array)
      store.put(
        {
          kv: 1,
          expires: record.expires,
          text: encodeRecord({ ...record, value: null }),
          bytes,
        } satisfies Item,
        at,
      );
    else
      store.put({ kv: 1, expires: record.expires, text: encodeRecord(record) } satisfies Item, at);
  }
}

/** How many records one transaction reads at most, so that large values do not pile up. */
const BATCH = 100;

/** One page of records in key order, in either direction. */
export async function recordsPage(
  store: IDBObjectStore,
  { prefix, after, limit, reverse, values }: PageQuery,
): Promise<Page> {
  // Nothing stands before the key that is the prefix itself, and such a range is refused.
  if (reverse && after === prefix) return { entries: [], next: null };
  const from = encodeKey(prefix);
  // Behind a prefix comes a whole character, which starts below this unit.
  const to = `${from}\uffff`;
  const at = after && encodeKey(after);
  const [lower, upper] = reverse ? [from, at ?? to] : [at ?? from, to];
  const range = IDBKeyRange.bound(lower, upper, lower === at, true);
  const count = Math.min(limit, BATCH);
  let keys: IDBValidKey[] = [];
  let items: (Partial<Item> | null)[] = [];
  if (reverse) {
    const request = store.openCursor(range, "prev");
    for (
      let cursor;
      keys.length < count && (cursor = await ended(request)) !== null;
      cursor.continue()
    ) {
      keys.push(cursor.key);
      items.push(cursor.value);
    }
  } else
    [keys, items] = await Promise.all([
      ended(store.getAllKeys(range, count)),
      ended(store.getAll(range, count)),
    ]);
  const decoded = (keys as string[]).map(decodeKey);
  const entries = decoded
    .map((key, i) => [key, recordOf(items[i]!, key, values)] as const)
    .filter((pair): pair is [string, StoredRecord] => pair[1] !== null);
  return { entries, next: keys.length < count ? null : decoded.at(-1)! };
}

/**
 * Deletes the expired records under a prefix and answers with how many. Only keys are read, and of
 * expired records alone. A limited call without a prefix looks at no more than the limit.
 */
export async function prune(
  store: IDBObjectStore,
  { prefix, now, limit }: PruneQuery,
): Promise<number> {
  const from = encodeKey(prefix);
  const range = IDBKeyRange.bound([1], [1, now]);
  const keys = await ended(
    store.index(INDEX).getAllKeys(range, prefix === "" && limit < Infinity ? limit : undefined),
  );
  const expired = keys
    .filter((key) => typeof key === "string" && key.startsWith(from))
    .slice(0, limit);
  for (const key of expired) store.delete(key);
  return expired.length;
}
