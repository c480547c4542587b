import { KvError } from "./errors.ts";
import { isWellFormed, utf8Length } from "./record/utf8.ts";

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
 * The first text behind every text that starts with `prefix`, by UTF-8 bytes; `null` when nothing
 * can be behind them (the prefix is empty or consists of U+10FFFF alone).
 */
export function prefixEnd(prefix: string): string | null {
  let end = prefix.length;
  while (prefix.endsWith("\u{10ffff}", end)) end -= 2;
  if (end === 0) return null;
  const start = end - (/[\udc00-\udfff]/.test(prefix[end - 1]!) ? 2 : 1);
  const last = prefix.codePointAt(start)!;
  // No text holds a lone surrogate: U+D7FF is followed by U+E000.
  return prefix.slice(0, start) + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1);
}
