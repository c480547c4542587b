import { KvError } from "./errors.ts";

/** The number of bytes that a text takes in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Two bytes from U+0080, three from U+0800; each half of a surrogate pair stands for two of its
    // four bytes.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

function described(what: unknown): string {
  return what === ""
    ? "empty"
    : typeof what === "string"
      ? "a text with a lone surrogate"
      : what === null || what === undefined
        ? String(what)
        : `of the type ${typeof what}`;
}

/** @throws {KvError} KV_INVALID_KEY unless the prefix is a well-formed string (it may be empty). */
export function checkPrefix(prefix: unknown): string {
  if (typeof prefix === "string" && prefix.isWellFormed()) return prefix;
  throw new KvError(
    "KV_INVALID_KEY",
    `a prefix cannot be ${described(prefix)}: pass a well-formed string`,
  );
}

/**
 * Whether a text has no lone surrogate. Most keys are short and have none: a loop is faster than a
 * call of the engine.
 */
function isWellFormed(text: string): boolean {
  if (text.length > SHORT) return text.isWellFormed();
  for (let i = 0; i < text.length; i++)
    if ((text.charCodeAt(i) & 0xf800) === 0xd800) return text.isWellFormed();
  return true;
}

/** Up to this length a key is looked at unit by unit. */
const SHORT = 48;

/** Whether a key is one that {@link fullKey} takes. */
export const isKey = (key: unknown, prefix: string, keyBytes: number): key is string =>
  typeof key === "string" &&
  key !== "" &&
  isWellFormed(key) &&
  (keyBytes === Infinity || (prefix.length + key.length) * 3 <= keyBytes);

/**
 * The full key of a user's key under a prefix.
 *
 * @throws {KvError} KV_INVALID_KEY unless the key is a non-empty, well-formed string; KV_TOO_LARGE
 * when the full key has more UTF-8 bytes than the client takes.
 */
export function fullKey(prefix: string, key: unknown, keyBytes: number): string {
  if (typeof key !== "string" || key === "" || !isWellFormed(key)) {
    throw new KvError(
      "KV_INVALID_KEY",
      `a key cannot be ${described(key)}: pass a non-empty, well-formed string`,
    );
  }
  const full = prefix === "" ? key : prefix + key;
  // A UTF-16 unit is at most three bytes of UTF-8: only long keys need counting.
  if (full.length * 3 > keyBytes && utf8Length(full) > keyBytes) {
    throw new KvError(
      "KV_TOO_LARGE",
      `the key has ${utf8Length(full)} bytes with its prefix: this client takes up to ${keyBytes}`,
      { key: full },
    );
  }
  return full;
}

/**
 * Compares two well-formed texts by their UTF-8 bytes, which is also the order of their code
 * points.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // Surrogates stand for code points above U+FFFF, so they sort behind every other unit.
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rank(x) - rank(y) : x - y;
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit < 0xe000 ? unit + 0x2000 : unit - 0x800);
