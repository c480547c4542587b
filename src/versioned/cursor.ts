import { fromBase64url, toBase64url } from "../record/base64url.ts";
import { KvError } from "../errors.ts";
import { isWithin, type TextRange } from "./pages.ts";

/** Where a listing stands that has come to its end: no key has this text. */
const ENDED = " ";

/** Eight digits that tell a selector and direction from others (FNV-1a). */
function digest({ base, start, end }: TextRange, reverse: boolean): string {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify([base, start, end, reverse]))
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The cursor of a listing that has yielded this text last; `null`: everything. It is base64url. */
export function encodePosition(text: string | null, range: TextRange, reverse: boolean): string {
  return toBase64url(digest(range, reverse) + (text ?? ENDED));
}

/**
 * The text behind which a cursor goes on; `null` when there is nothing more.
 *
 * @throws {KvError} KV_INVALID_CURSOR unless it was made by a listing with this selector and
 * direction.
 */
export function decodePosition(cursor: unknown, range: TextRange, reverse: boolean): string | null {
  try {
    const rest = fromBase64url(String(cursor)).slice(8);
    const text = rest === ENDED ? null : rest;
    // Making it again compares the selector, and catches cursors that only a lenient decoder
    // accepts.
    if ((text === null || isWithin(range, text)) && encodePosition(text, range, reverse) === cursor)
      return text;
  } catch {
    // Not base64 or not UTF-8: refused below like any other text.
  }
  throw new KvError(
    "KV_INVALID_CURSOR",
    "this cursor was not made by a listing with this selector and direction: " +
      "start without a cursor",
  );
}
