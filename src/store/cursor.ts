import { fromBase64url, toBase64url } from "../record/base64url.ts";
import { KvError } from "../errors.ts";
import type { Range } from "./pages.ts";

// A cursor is base64url of this mark, the direction, the length of the prefixes, and the full key
// that the page ended on. Without an order it is the direction "~", the prefixes, and where the
// client has stopped.
const start = (
  { prefix }: Pick<Range, "prefix">,
  inner: string,
  direction: "<" | ">" | "~",
): string => `kv1${direction}${prefix.length - inner.length}.${inner.length}:`;

/**
 * The cursor behind a key. `range` is the listed range, `inner` the part of its prefix that came as
 * an option.
 */
export function encodeCursor(key: string, range: Omit<Range, "after">, inner: string): string {
  return toBase64url(start(range, inner, range.reverse ? "<" : ">") + key);
}

/** The cursor of a listing without an order: `next` is where the client has stopped. */
export const encodePlace = (next: string, range: Pick<Range, "prefix">, inner: string): string =>
  toBase64url(start(range, inner, "~") + range.prefix + next);

/** What is behind the head of a cursor; `null` unless it was made by a listing of this kind. */
function textIn(cursor: unknown, head: string): string | null {
  try {
    const text = fromBase64url(String(cursor));
    // Making it again catches cursors that only a lenient decoder accepts.
    if (text.startsWith(head) && toBase64url(text) === cursor) return text.slice(head.length);
  } catch {
    // Not base64 or not UTF-8: rejected like any other text.
  }
  return null;
}

/** Where the client has stopped; `null` for a cursor that is a key, or none at all. */
export const decodePlace = (
  cursor: unknown,
  range: Pick<Range, "prefix">,
  inner: string,
): string | null => textIn(cursor, start(range, inner, "~") + range.prefix);

/**
 * @throws {KvError} KV_INVALID_CURSOR unless it was made by a listing with this prefix and
 * direction.
 */
export function decodeCursor(cursor: unknown, range: Omit<Range, "after">, inner: string): string {
  const head = start(range, inner, range.reverse ? "<" : ">") + range.prefix;
  const rest = textIn(cursor, head);
  if (rest !== null) return range.prefix + rest;
  throw new KvError(
    "KV_INVALID_CURSOR",
    "this cursor was not made by a listing with this prefix and direction: start without a cursor",
  );
}
