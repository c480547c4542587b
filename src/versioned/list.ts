import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { decodeKey, encodeKey, encodePrefix } from "./key.ts";
import { entryOf } from "./entry.ts";
import { listEntries } from "./listing.ts";
import { pages, type TextRange } from "./pages.ts";
import type { Selector, VersionedList, VersionedListOptions } from "./types.ts";
import { compareKeys } from "../record/utf8.ts";

const invalid = (message: string): KvError => new KvError("KV_INVALID_VALUE", message);

interface Members {
  readonly prefix?: unknown;
  readonly start?: unknown;
  readonly end?: unknown;
}

/** @throws {KvError} KV_INVALID_VALUE for members that do not go together. */
function membersOf(selector: unknown): Members {
  checkOptions(selector, ["prefix", "start", "end"], "the selector of list()");
  const { prefix, start, end } = Object(selector) as Members;
  if (prefix === undefined && (start === undefined || end === undefined))
    throw invalid('a selector has a "prefix", or both "start" and "end"');
  if (prefix !== undefined && start !== undefined && end !== undefined)
    throw invalid('a selector with a "prefix" has a "start" or an "end", not both');
  return { prefix, start, end };
}

function commonStart(a: string, b: string): string {
  let end = 0;
  while (end < a.length && a[end] === b[end]) end++;
  // Not in the middle of a character.
  return a.slice(0, /[\ud800-\udbff]/.test(a[end - 1] ?? "") ? end - 1 : end);
}

/**
 * @throws {KvError} KV_INVALID_KEY for keys that are none, not under the prefix, or in the wrong
 * order.
 */
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
    if (!text.startsWith(base))
      throw new KvError("KV_INVALID_KEY", `"${name}" is not under the prefix`);
    return text;
  };
  return { base, start: within("start", start), end: within("end", end) };
}

/**
 * The entries of a range in key order.
 *
 * @throws {KvError} at once: KV_INVALID_VALUE for a selector or options of the wrong form. By the
 * iteration: KV_INVALID_KEY for a range that cannot be, KV_INVALID_CURSOR, KV_INVALID_VALUE for
 * more than 1,000 entries at once.
 */
export function list<T>(
  store: Store<unknown>,
  selector: Selector,
  options: VersionedListOptions = {},
): VersionedList<T> {
  checkOptions(options, ["limit", "cursor", "reverse", "batchSize"], "list()");
  const members = membersOf(selector);
  return listEntries<T>(
    options,
    () => rangeOf(members),
    async function* (range, how) {
      for await (const page of pages(store, range, how)) {
        const keyed = page.map((found) => ({ text: found.key, key: decodeKey(found.key), found }));
        yield keyed.flatMap(({ text, key, found }) =>
          key === null ? [] : [{ text, entry: entryOf<T>(key, found) }],
        );
      }
    },
  );
}
