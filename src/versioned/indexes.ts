import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { decodeKey, encodeKey, encodePrefix, type Key, type KeyPart } from "./key.ts";
import type { IndexOptions } from "./types.ts";
import { decodeVersioned } from "./value.ts";

/**
 * Texts that begin so are no keys: "!" is followed by a quotation mark or something behind it
 * there.
 */
const AREA = "! ";

/**
 * Ends the parts that an entry is found by. No part of a key is empty in a text, so that it stands
 * nowhere else.
 */
const END = "  ";

/** An index with its precomputed parts. */
export interface Index {
  readonly name: string;
  readonly isUnique: boolean;
  /** The texts of all keys that are indexed begin with this. */
  readonly base: string;
  readonly of: IndexOptions["of"];
}

/**
 * @throws {KvError} KV_INVALID_VALUE for an index that is none, KV_INVALID_KEY for its name or
 * prefix.
 */
export function indexesOf(
  options: { readonly [name: string]: IndexOptions } = {},
): readonly Index[] {
  if (Object.prototype.toString.call(options) !== "[object Object]")
    throw new KvError("KV_INVALID_VALUE", '"indexes" is an object: { name: { prefix, of } }');
  return Object.entries(options).map(([name, index]) => {
    checkOptions(index, ["prefix", "of", "unique"], `the index ${name}`);
    const { prefix, of, unique = false } = Object(index) as typeof index;
    if (typeof of !== "function")
      throw new KvError(
        "KV_INVALID_VALUE",
        `the index ${JSON.stringify(name)} needs a function "of"`,
      );
    encodeKey([name]);
    return { name, isUnique: unique, base: encodePrefix(prefix), of };
  });
}

/** Everything that an index keeps begins so. */
export const areaOf = ({ name }: Pick<Index, "name">): string => `${AREA}${encodePrefix([name])}`;

/** The range that parts, or a single one, select. @throws {KvError} KV_INVALID_KEY. */
export const partsOf = (by: unknown): Key => (Array.isArray(by) ? by : [by as KeyPart]);

/**
 * Where the entries of an index stand that are found by these parts: in a unique one exactly there,
 * in others behind it. @throws {KvError} KV_INVALID_KEY.
 */
export const indexPath = (index: Pick<Index, "name">, by: Key): string =>
  `${areaOf(index)}${encodeKey(by)}${END}`;

/**
 * The place of an entry in an index; `null` when it is left out.
 *
 * @throws {KvError} KV_INVALID_VALUE when the index cannot tell.
 */
export function placeIn(
  index: Index,
  text: string,
  key: readonly KeyPart[],
  value: unknown,
): string | null {
  if (!text.startsWith(index.base)) return null;
  let place: string;
  try {
    const by = index.of(value, key);
    if (by === null || by === undefined) return null;
    place = indexPath(index, partsOf(by));
  } catch (cause) {
    throw new KvError(
      "KV_INVALID_VALUE",
      `the index ${JSON.stringify(index.name)} cannot tell what this entry is found by: its ` +
        `"of" throws, or answers with something that is no part of a key`,
      { key: text, cause },
    );
  }
  return index.isUnique ? place : place + text;
}

/** Where an entry stands that is stored already: nowhere when the index cannot tell. */
export function placeNow(
  index: Index,
  text: string,
  key: readonly KeyPart[],
  value: unknown,
): string | null {
  try {
    return placeIn(index, text, key, value);
  } catch {
    return null;
  }
}

/**
 * A key in an index, by its text: its entry, the places of the entry, and its version.
 */
export async function standing(
  store: Store<unknown>,
  index: Index,
  text: unknown,
): Promise<{ text: string; version: string | null; place: string | null } | null> {
  const key = typeof text === "string" ? decodeKey(text) : null;
  if (key === null) return null;
  const entry = await store.entry<unknown>(text as string);
  const place =
    entry === null ? null : placeNow(index, text as string, key, decodeVersioned(entry.value));
  return { text: text as string, version: entry?.version ?? null, place };
}
