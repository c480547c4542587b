import type { Store } from "../api.ts";
import { binaryOf, bytesOf } from "../record/bytes.ts";
import { decodeCursor, encodeCursor } from "../store/cursor.ts";
import type { Listing } from "./checks.ts";
import { decodeHead, type Head } from "./kept.ts";
import type { Layout } from "./layout.ts";
import type { Rules } from "./refusal.ts";
import { compareKeys } from "../record/utf8.ts";

const PAGE = 1000;

/** A name and its properties in the index. */
export type ListedName = Head & { readonly name: string };

/** The reads of the index of a namespace. */
export interface NameIndex {
  readonly store: Store<unknown>;
  /** The prefix of the store. */
  readonly before: string;
  readonly layout: Layout;
}

/** The cursor of the store that stands behind a text. */
function standing(at: string, within: string, { before, layout: { index } }: NameIndex): string {
  return encodeCursor(
    before + index + at,
    { prefix: before + index + within, reverse: false },
    index + within,
  );
}

/**
 * Up to so many names with a prefix behind a name, in order. Reads the index alone.
 *
 * Names that are kept shortened are in order but for those with the same stem: all with one stem
 * are looked through for each page, and a page of them is kept in memory.
 */
export async function namesBehind(
  index: NameIndex,
  prefix: string,
  after: string | null,
  limit: number,
): Promise<ListedName[]> {
  const { store, layout } = index;
  const found: ListedName[] = [];
  let group: ListedName[] = [];
  let stem: string | null = null;
  const sorted = (): ListedName[] =>
    group.sort((a, b) => compareKeys(a.name, b.name)).slice(0, limit);
  const within = layout.stem(prefix);
  const start = after === null ? null : layout.stem(after);
  // A name that is before all that begin with the prefix is none to start at.
  let cursor = start === null || !start.startsWith(within) ? null : standing(start, within, index);
  // Names of one stem may be many more than are wanted: the rest comes in large pages.
  for (let size = limit; ; size = PAGE) {
    const page = await store.list<unknown>({ prefix: layout.index + within, limit: size, cursor });
    for (const { key, value } of page.entries) {
      const listed = decodeHead(value, key.slice(layout.index.length));
      const own = layout.stem(listed.name);
      if (own !== stem) {
        found.push(...sorted());
        [group, stem] = [[], own];
      }
      if (
        !listed.name.startsWith(prefix) ||
        (after !== null && compareKeys(listed.name, after) <= 0)
      )
        continue;
      (layout.isAlone(listed.name) ? found : group).push(listed);
      if (group.length > 2 * limit) group = sorted();
    }
    cursor = page.cursor;
    if (cursor === null || found.length >= limit) return [...found, ...sorted()].slice(0, limit);
  }
}

/** The bytes of base64 as lenient as Workers KV takes it, as a text. */
function lenient(cursor: string): string {
  const digits = cursor
    .split("=", 1)[0]!
    .replace(/-/g, "+")
    .replace(/_/g, "/")
    .replace(/[^A-Za-z0-9+/]/g, "");
  const binary = atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(binary));
}

/**
 * The name that a cursor stands on; `null` for the start.
 *
 * @throws {KvError} KV_INVALID_CURSOR unless a listing of this namespace with this prefix made it.
 * By the rules of Workers KV every cursor is a place.
 */
export function cursorPosition(
  { cursor, prefix }: Listing,
  { before, layout: { index } }: NameIndex,
  { isWorkers }: Rules,
): string | null {
  if (cursor === null) return null;
  if (isWorkers) return lenient(cursor);
  return decodeCursor(
    cursor,
    { prefix: before + index + prefix, reverse: false },
    index + prefix,
  ).slice(before.length + index.length);
}

/** The cursor that stands on a name. */
export function cursorAt(
  name: string,
  { prefix }: Listing,
  { before, layout: { index } }: NameIndex,
  { isWorkers }: Rules,
): string {
  if (isWorkers) return btoa(binaryOf(new TextEncoder().encode(name)));
  return encodeCursor(
    before + index + name,
    { prefix: before + index + prefix, reverse: false },
    index + prefix,
  );
}
