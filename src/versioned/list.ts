import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { compareKeys } from "../key.ts";
import { checkOptions } from "../options.ts";
import { decodePosition, encodePosition } from "./cursor.ts";
import { decodeKey, encodeKey, encodePrefix } from "./key.ts";
import { pages, type TextRange } from "./pages.ts";
import { entryOf } from "./entry.ts";
import type { Selector, VersionedEntry, VersionedList, VersionedListOptions } from "./types.ts";

/** How many entries may be asked for at once. */
const MOST = 1000;

const invalid = (message: string): KvError => new KvError("KV_INVALID_VALUE", message);

function count(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return value;
  throw invalid(`${name} has to be a whole number from 1`);
}

interface Members {
  readonly prefix?: unknown;
  readonly start?: unknown;
  readonly end?: unknown;
}

/** @throws {KvError} KV_INVALID_VALUE for members that do not go together. */
function membersOf(selector: unknown): Members {
  checkOptions(selector, ["prefix", "start", "end"], "the selector of list()");
  const { prefix, start, end } = Object(selector) as Members;
  if (prefix === undefined && (start === undefined || end === undefined)) throw invalid('a selector has a "prefix", or both "start" and "end"');
  if (prefix !== undefined && start !== undefined && end !== undefined) throw invalid('a selector with a "prefix" has a "start" or an "end", not both');
  return { prefix, start, end };
}

function commonStart(a: string, b: string): string {
  let end = 0;
  while (end < a.length && a[end] === b[end]) end++;
  // Not in the middle of a character.
  return a.slice(0, /[\ud800-\udbff]/.test(a[end - 1] ?? "") ? end - 1 : end);
}

/** @throws {KvError} KV_INVALID_KEY for keys that are none, not under the prefix, or in the wrong order. */
function rangeOf({ prefix, start, end }: Members): TextRange {
  if (prefix === undefined) {
    const [from, to] = [encodeKey(start), encodeKey(end)];
    if (compareKeys(from, to) > 0) throw new KvError("KV_INVALID_KEY", '"start" is behind "end"');
    return { base: commonStart(from, to), start: from, end: to };
  }
  const base = encodePrefix(prefix);
  const within = (name: string, key: unknown): string | null => {
    if (key === undefined) return null;
    const text = encodeKey(key);
    if (!text.startsWith(base)) throw new KvError("KV_INVALID_KEY", `"${name}" is not under the prefix`);
    return text;
  };
  return { base, start: within("start", start), end: within("end", end) };
}

/** What the work answers, as something to call later; its error then. */
function later<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * The entries of a range in key order.
 *
 * @throws {KvError} at once: KV_INVALID_VALUE for a selector or options of the wrong form. By the iteration: KV_INVALID_KEY for a range that cannot be,
 * KV_INVALID_CURSOR, KV_INVALID_VALUE for more than 1,000 entries at once.
 */
export function list<T>(store: Store<unknown>, selector: Selector, options: VersionedListOptions = {}): VersionedList<T> {
  checkOptions(options, ["limit", "cursor", "reverse", "batchSize"], "list()");
  const { cursor, reverse = false } = options;
  const limit = count("limit", options.limit) ?? Infinity;
  const size = count("batchSize", options.batchSize) ?? Math.min(limit, 100);
  const members = membersOf(selector);
  // The selector is read now, whatever becomes of its arrays.
  const begin = later(() => {
    const range = rangeOf(members);
    if (size > MOST) throw invalid(`batchSize is at most ${MOST}`);
    return { range, from: cursor === undefined ? undefined : decodePosition(cursor, range, reverse) };
  });
  let position = cursor;

  async function* entries(): AsyncGenerator<VersionedEntry<T>, void, undefined> {
    const { range, from } = begin();
    let left = limit;
    // What was listed to its end has nothing more, even if more was written since.
    for await (const page of from === null ? [] : pages(store, range, { after: from, reverse, size: Math.min(size, limit), limit })) {
      for (const entry of page) {
        const key = decodeKey(entry.key);
        if (key === null) continue;
        position = encodePosition(entry.key, range, reverse);
        yield entryOf<T>(key, entry);
        if (--left === 0) return;
      }
    }
    position = encodePosition(null, range, reverse);
  }

  const generator = entries();
  return {
    next: () => generator.next(),
    return: async () => generator.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
    get cursor() {
      if (position !== undefined) return position;
      throw new KvError("KV_INVALID_CURSOR", "a listing has a cursor from its first entry on");
    },
  };
}
