import { fromBase64url, toBase64url } from "../record/base64url.ts";
import { KvError } from "../errors.ts";
import type { Range } from "./pages.ts";

// A cursor is base64url of this mark, the direction, the length of the prefixes, and the full key
// that the page ended on.
const start = ({ prefix, reverse }: Omit<Range, "after">, inner: string): string =>
  `kv1${reverse ? "<" : ">"}${prefix.length - inner.length}.${inner.length}:`;

/**
 * The cursor behind a key. `range` is the listed range, `inner` the part of its prefix that came as
 * an option.
 */
export function encodeCursor(key: string, range: Omit<Range, "after">, inner: string): string {
  return toBase64url(start(range, inner) + key);
}

/**
 * @throws {KvError} KV_INVALID_CURSOR unless it was made by a listing with this prefix and
 * direction.
 */
export function decodeCursor(cursor: unknown, range: Omit<Range, "after">, inner: string): string {
  try {
    const text = fromBase64url(String(cursor));
    const before = start(range, inner);
    const key = text.slice(before.length);
    // Making it again catches cursors that only a lenient decoder accepts.
    if (text.startsWith(before + range.prefix) && encodeCursor(key, range, inner) === cursor)
      return key;
  } catch {
    // Not base64 or not UTF-8: refused below like any other text.
  }
  throw new KvError(
    "KV_INVALID_CURSOR",
    "this cursor was not made by a listing with this prefix and direction: start without a cursor",
  );
}
