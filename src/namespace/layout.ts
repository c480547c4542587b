import { digestOf } from "../record/bytes.ts";
import { KvError } from "../errors.ts";
import type { MaybePromise } from "../types.ts";
import { utf8Length } from "../record/utf8.ts";

/** The longest key of a namespace, in bytes of UTF-8. */
const KEY_BYTES = 512;
/** The length of a digest of a key: 64 characters and a mark before them. */
const DIGEST_BYTES = 65;

/** The keys of the two records of a name. */
export interface Keys {
  /**
   * The record that listings read: in the order of the names, but for those that share a `stem`.
   */
  readonly index: string;
  /** The record with the value. */
  readonly value: string;
}

/** The keys of a namespace in its store. Documented in docs/format.md. */
export interface Layout {
  /** The prefix of all keys of the index. */
  readonly index: string;
  /** Those of a shortened name take time. */
  keysOf(name: string): MaybePromise<Keys>;
  /** Whether the record under an index key has to tell its name. */
  isShortened(name: string): boolean;
  /**
   * The first part of the index key of a name, shortened or not: names with different stems are in
   * order.
   */
  stem(name: string): string;
  /** Whether no other name has the stem of this one. */
  isAlone(name: string): boolean;
}

/** 64 characters that tell a text from all others. */
async function digest(text: string): Promise<string> {
  if (globalThis.crypto?.subtle === undefined)
    throw new KvError(
      "KV_TOO_LARGE",
      "this client takes no keys as long as this one with its namespace, and they are only " +
        "shortened in a secure context (https:)",
    );
  return digestOf("SHA-256", text);
}

/**
 * The prefix of all keys of a namespace. No name has the slash that ends it, so that none is the
 * beginning of another.
 */
export const namespacePrefix = (name: string): string =>
  `${name.replaceAll("%", "%25").replaceAll("/", "%2F")}/`;

/**
 * The layout of a namespace. Keys are kept as they are where the client takes 512 bytes behind
 * their prefix. Elsewhere a long key becomes its first characters and a digest of all of it. A key
 * that looks like a shortened one is shortened too.
 *
 * @param prefix the store's own.
 * @param keyBytes the longest key that the client takes.
 * @throws {KvError} KV_INVALID_KEY for a name that is no well-formed string.
 */
export function layoutOf(name: unknown, prefix: string, keyBytes: number): Layout {
  if (typeof name !== "string" || !name.isWellFormed())
    throw new KvError("KV_INVALID_KEY", "the name of a namespace is a well-formed string");
  const base = namespacePrefix(name);
  const index = `${base}k/`;
  const left = keyBytes - utf8Length(prefix + index);
  const stemLength =
    left >= KEY_BYTES ? Infinity : Math.max(0, Math.floor((left - DIGEST_BYTES) / 4));
  // In characters, of up to four bytes: cut by bytes, stems would have different lengths, and one
  // could go on where another ends.
  const stem = (key: string): string =>
    key.length <= stemLength
      ? key
      : [...key.slice(0, 2 * stemLength)].slice(0, stemLength).join("");
  const isShortened = (key: string): boolean => {
    if (stemLength === Infinity) return false;
    return utf8Length(key) > left || /^~[0-9a-f]{64}$/.test(key.slice(stem(key).length));
  };
  const shortened = async (key: string): Promise<Keys> => {
    const hash = await digest(key);
    return { index: `${index}${stem(key)}~${hash}`, value: `${base}h/${hash}` };
  };
  return {
    index,
    stem,
    isAlone: (key) => key.length < stemLength,
    isShortened,
    keysOf: (key) =>
      isShortened(key) ? shortened(key) : { index: index + key, value: `${base}v/${key}` },
  };
}
