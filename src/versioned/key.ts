import { KvError } from "../errors.ts";
import {
  bigintOf,
  fromSortable,
  bytesOfBigint,
  bytesOfNumber,
  numberOf,
  sortableBytes,
} from "./sortable.ts";

/**
 * One part of a key. Parts of different types are different keys, in this order: bytes, strings,
 * bigints, numbers, booleans.
 */
export type KeyPart = Uint8Array | string | number | bigint | boolean;

/** A key of a versioned store: its parts from the most to the least significant. */
export type Key = readonly KeyPart[];

// The text of a key is that of its parts with spaces between. Everything in a part sorts behind the
// space, so that texts sort like keys:
//   bytes    "!!" and six bits a character
//   ""       "!!~", behind all bytes and before every other string
// strings  themselves, but for U+0000 to "!", which are "!" and a character from U+0022 on; "~!" in
// front when they begin with "~" or behind it
//   others   "~b" bigints, "~n" numbers, "~t" booleans
const SEPARATOR = " ";
const EMPTY = "!!~";

function escaped(text: string): string {
  if (text === "") return EMPTY;
  const safe = text.replace(
    /[\0-!]/g,
    (char) => `!${String.fromCharCode(char.charCodeAt(0) + 0x22)}`,
  );
  return safe[0]! >= "~" ? `~!${safe}` : safe;
}

const unescaped = (text: string): string =>
  text.replace(/!(.)/gs, (_, char: string) => String.fromCharCode(char.charCodeAt(0) - 0x22));

const refused = (reason: string): KvError =>
  new KvError(
    "KV_INVALID_KEY",
    `a key is an array of strings, numbers, bigints, booleans and bytes: ${reason}`,
  );

function encodePart(part: unknown): string {
  switch (typeof part) {
    case "string":
      if (!part.isWellFormed()) throw refused("a part has a lone surrogate");
      return escaped(part);
    case "number":
      return `~n${sortableBytes(bytesOfNumber(part))}`;
    case "bigint": {
      const bytes = bytesOfBigint(part);
      if (bytes === null) throw refused("a bigint has more than 255 bytes");
      return `~b${sortableBytes(bytes)}`;
    }
    case "boolean":
      return part ? "~tt" : "~tf";
    default:
      if (!ArrayBuffer.isView(part))
        throw refused(`a part is ${part === null ? "null" : `a ${typeof part}`}`);
      return `!!${sortableBytes(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))}`;
  }
}

/**
 * The text of a key: keys sort by the UTF-8 bytes of their texts as they sort by their parts.
 *
 * @throws {KvError} KV_INVALID_KEY for anything but an array of parts, and for an empty one.
 */
export function encodeKey(key: unknown): string {
  if (!Array.isArray(key)) throw refused(`this is ${key === null ? "null" : `a ${typeof key}`}`);
  if (key.length === 0) throw refused("this one is empty");
  return Array.from(key, encodePart).join(SEPARATOR);
}

/** The text before those of all keys that begin with these parts and have more. */
export function encodePrefix(prefix: unknown): string {
  return Array.isArray(prefix) && prefix.length === 0 ? "" : encodeKey(prefix) + SEPARATOR;
}

function decodePart(text: string): KeyPart | null {
  if (text === EMPTY) return "";
  if (text.startsWith("!!")) return fromSortable(text.slice(2));
  if (!text.startsWith("~")) return unescaped(text);
  const rest = text.slice(2);
  switch (text[1]) {
    case "!":
      return unescaped(rest);
    case "t":
      return rest === "" ? null : text === "~tt";
    default: {
      const bytes = fromSortable(rest);
      if (bytes === null) return null;
      if (text[1] === "n") return bytes.length === 8 ? numberOf(bytes) : null;
      return text[1] === "b" && bytes.length >= 2 ? bigintOf(bytes) : null;
    }
  }
}

/** The key of a text; `null` when no key has it. */
export function decodeKey(text: string): KeyPart[] | null {
  const parts: KeyPart[] = [];
  for (const part of text.split(SEPARATOR)) {
    const decoded = decodePart(part);
    if (decoded === null) return null;
    parts.push(decoded);
  }
  return isTextOf(parts, text) ? parts : null;
}

function isTextOf(parts: readonly KeyPart[], text: string): boolean {
  try {
    return encodeKey(parts) === text;
  } catch {
    return false;
  }
}
