import type { Entry, Store } from "../api.ts";
import { isKvError } from "../errors.ts";
import { encodeCursor } from "../store/cursor.ts";
import { contextOf } from "../store/store.ts";
import { compareKeys } from "../record/utf8.ts";

/** A range of the texts of keys. */
export interface TextRange {
  /** All of them begin with this. */
  readonly base: string;
  /** The first of the range, `null` for the first that begins so. */
  readonly start: string | null;
  /** The first behind the range, `null` for the end. */
  readonly end: string | null;
}

/** How a range is read. */
export interface PageOptions {
  /** A text to go on behind; `null` for the start. */
  readonly after?: string | null | undefined;
  readonly reverse?: boolean;
  /** How many entries are asked for at once. Default 100. */
  readonly size?: number;
  /** How many entries are wanted at most. Default: all. */
  readonly limit?: number;
}

/**
 * Behind everything that indexes keep, which begins with `"! "`, and before the text of every key.
 */
const FIRST = "! \u{10ffff}";

/** Whether a text is in a range. */
export function isWithin({ base, start, end }: TextRange, text: string): boolean {
  return (
    text.startsWith(base) &&
    (start === null || compareKeys(text, start) >= 0) &&
    (end === null || compareKeys(text, end) < 0)
  );
}

/** Something of others where a range starts is left out, as by any listing. */
async function entryAt<V>(store: Store<V>, text: string): Promise<Entry<V>[]> {
  try {
    const entry = await store.entry<V>(text);
    return entry === null ? [] : [entry];
  } catch (error) {
    if (isKvError(error, "KV_FOREIGN")) return [];
    throw error;
  }
}

/**
 * Entries of a store in the order of their texts, in pages. A range of all keys leaves out the
 * entries of indexes.
 */
export async function* pages<V>(
  store: Store<V>,
  range: TextRange,
  { after = null, reverse = false, size = 100, limit = Infinity }: PageOptions = {},
): AsyncGenerator<Entry<V>[], void, undefined> {
  const { base, end } = range;
  const before = contextOf(store)?.prefix ?? "";
  const at = (text: string): string =>
    encodeCursor(before + text, { prefix: before + base, reverse }, base);
  const start = base === "" && range.start === null ? FIRST : range.start;
  const whole: TextRange = { base, start, end };
  // A cursor stands behind its key: the first one is asked for by itself.
  if (!reverse && after === null && start !== null && start !== FIRST)
    yield (await entryAt(store, start)).filter(({ key }) => isWithin(whole, key));
  const from = after ?? (reverse ? end : start);
  let cursor = from === null ? null : at(from);
  do {
    // Without an order in the client each page is a pass over everything: one is enough.
    const isPass = store.type !== "PENDING" && !store.supports.order;
    const page = await store.list<V>({
      prefix: base,
      limit: isPass ? Math.min(limit, Number.MAX_SAFE_INTEGER - 1) : size,
      cursor,
      reverse,
    });
    const found = page.entries.filter(({ key }) => isWithin(whole, key));
    yield found;
    if (found.length < page.entries.length) return;
    cursor = page.cursor;
  } while (cursor !== null);
}
