import { type DenoEntry, type DenoKey, keyOfPart, encodeKeyPart, entryRecord } from "./atomic.ts";
import { type Page, PAGE_LENGTH, type PageQuery } from "../adapter.ts";
import type { KvRecord } from "../../record/types.ts";
import { prefixEnd } from "../../prefix.ts";

/** The part of a `Deno.Kv` that lists. */
export interface DenoList {
  list(
    selector: { prefix: DenoKey; start: DenoKey } | { start: DenoKey; end: DenoKey },
    options: { reverse: boolean; batchSize: number },
  ): AsyncIterable<DenoEntry>;
}

const MOST_LISTED = 500;

/**
 * A page of the records whose keys are `[...before, key]`. Foreign entries are left out.
 */
export async function denoPage(
  db: DenoList,
  before: DenoKey,
  { prefix, after, limit, reverse, values }: PageQuery,
): Promise<Page> {
  const entries: [string, KvRecord][] = [];
  const end = reverse && after !== null ? encodeKeyPart(after) : prefixEnd(encodeKeyPart(prefix));
  const start = [
    ...before,
    reverse || after === null ? encodeKeyPart(prefix) : `${encodeKeyPart(after)}\0`,
  ];
  const selector = end === null ? { prefix: before, start } : { start, end: [...before, end] };
  let [seen, length] = [0, 0];
  for await (const entry of db.list(selector, {
    reverse,
    batchSize: Math.min(limit, MOST_LISTED),
  })) {
    const key = keyOfPart(entry.key[before.length]!);
    // Keys of others may stand between ours, or at the end, where their last part is no text.
    if (key === null || entry.key.length !== before.length + 1) continue;
    const record = entryRecord(entry, key, values);
    if (record !== null) entries.push([key, record]);
    length += entry.value instanceof Uint8Array ? entry.value.length : 0;
    if (++seen >= limit || length > PAGE_LENGTH) return { entries, next: key };
  }
  return { entries, next: null };
}
