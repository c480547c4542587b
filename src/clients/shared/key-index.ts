import { compareKeys } from "../../record/utf8.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Page, PageQuery } from "../adapter.ts";

/** How many keys a chunk has at most. */
const CHUNK = 1024;

/** Beyond one note for so many keys the index is sorted anew. */
const REBUILD = 8;

const isPlain = (key: string): boolean => !/[\ud800-\uffff]/.test(key);

/** The keys in the order of their UTF-8 bytes. */
function sorted(keys: string[]): string[] {
  // The order of UTF-16 units is the same below the surrogates, and much faster.
  return keys.every(isPlain) ? keys.sort() : keys.sort(compareKeys);
}

/** The number of leading items for which the condition holds. */
function leading<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The keys of a client that an index is made of. */
export interface IndexedKeys {
  all(): Iterable<unknown>;
  has(key: string): boolean;
  /** Whether an index of so many keys cannot be that of the client any more. */
  isDamaged(size: number): boolean;
}

/**
 * The keys of a client in memory, in order. It is made by the first listing that needs an order.
 * Writes only note keys that were added or removed; the next listing puts them in their place.
 */
export class KeyIndex {
  #chunks: string[][] = [];
  #size = 0;
  /** How many keys of the client are no strings. */
  #others = 0;
  readonly #noted = new Set<string>();
  readonly #keys: IndexedKeys;

  constructor(keys: IndexedKeys) {
    this.#keys = keys;
    this.#build();
  }

  /** Remembers a key that was added or removed. */
  note(key: string): void {
    this.#noted.add(key);
  }

  /** One page of the records that `read` finds. */
  page({ prefix, after, limit, reverse }: PageQuery, read: (key: string) => KvRecord | null): Page {
    const entries: (readonly [string, KvRecord])[] = [];
    let looks = 0;
    for (const key of this.keys(prefix, after, reverse)) {
      const record = read(key);
      if (record !== null) entries.push([key, record]);
      if (++looks === limit) return { entries, next: key };
    }
    return { entries, next: null };
  }

  /** The keys that start with a prefix, behind a key (before it when `reverse`). */
  *keys(
    prefix: string,
    after: string | null = null,
    reverse: boolean = false,
  ): Generator<string, void, undefined> {
    this.#settle();
    const isBefore = (key: string): boolean =>
      after === null || !reverse
        ? compareKeys(key, prefix) < 0 || (reverse && key.startsWith(prefix))
        : compareKeys(key, after) < 0;
    const isPassed = (key: string): boolean =>
      after === null || reverse ? isBefore(key) : compareKeys(key, after) <= 0;
    const chunks = this.#chunks;
    let c = leading(chunks, (chunk) => isPassed(chunk.at(-1)!));
    let i = c < chunks.length ? leading(chunks[c]!, isPassed) : 0;
    for (;;) {
      if (reverse && --i < 0) {
        if (--c < 0) return;
        i = chunks[c]!.length - 1;
      }
      const key = chunks[c]?.[i];
      if (key === undefined || !key.startsWith(prefix)) return;
      yield key;
      if (!reverse && ++i === chunks[c]!.length) {
        c++;
        i = 0;
      }
    }
  }

  #build(): void {
    this.#noted.clear();
    const all = [...this.#keys.all()];
    const keys = sorted(all.filter((key) => typeof key === "string"));
    this.#others = all.length - keys.length;
    this.#chunks = [];
    for (let i = 0; i < keys.length; i += CHUNK / 2)
      this.#chunks.push(keys.slice(i, i + CHUNK / 2));
    this.#size = keys.length;
  }

  /** Puts the noted keys in their places. */
  #settle(): void {
    if (this.#noted.size * REBUILD > this.#size) return this.#build();
    for (const key of this.#noted) this.#place(key, this.#keys.has(key));
    this.#noted.clear();
    if (this.#keys.isDamaged(this.#size + this.#others)) this.#build();
  }

  #place(key: string, isThere: boolean): void {
    const isBefore = (other: string): boolean => compareKeys(other, key) < 0;
    const chunks = this.#chunks;
    const c = Math.min(
      leading(chunks, (chunk) => isBefore(chunk.at(-1)!)),
      chunks.length - 1,
    );
    const chunk = chunks[c]!;
    const i = leading(chunk, isBefore);
    const isKnown = chunk[i] === key;
    if (isKnown === isThere) return;
    this.#size += isThere ? 1 : -1;
    if (isThere) chunk.splice(i, 0, key);
    else chunk.splice(i, 1);
    if (chunk.length === 0) chunks.splice(c, 1);
    else if (chunk.length > CHUNK)
      chunks.splice(c, 1, chunk.slice(0, CHUNK / 2), chunk.slice(CHUNK / 2));
  }
}

/** How often a walk may pass all keys for nothing before an index is made. */
const WALKS = 4;

/** An index that is made when it pays. */
export class IndexOnDemand {
  index: KeyIndex | null = null;
  /** How many keys walks under a prefix have passed for nothing. */
  #wasted = 0;
  readonly #make: () => KeyIndex;

  constructor(make: () => KeyIndex) {
    this.#make = make;
  }

  /** Remembers a key that was added or removed. */
  note(key: string): void {
    this.index?.note(key);
  }

  get(): KeyIndex {
    return (this.index ??= this.#make());
  }

  /** The keys of a client of so many keys that start with a prefix. */
  keys(prefix: string, all: () => readonly unknown[]): readonly string[] {
    if (this.index !== null && prefix !== "") return [...this.index.keys(prefix)];
    const keys = all();
    const found = keys.filter(
      (key): key is string => typeof key === "string" && key.startsWith(prefix),
    );
    if (prefix !== "") this.#wasted += keys.length - found.length;
    if (this.#wasted > WALKS * keys.length && keys.length > CHUNK) this.get();
    return found;
  }
}

const indexes = new WeakMap<object, IndexOnDemand>();

/** The index of a client. Stores over one client share it. */
export function keyIndexOf(client: object, make: () => KeyIndex): IndexOnDemand {
  const found = indexes.get(client) ?? new IndexOnDemand(make);
  indexes.set(client, found);
  return found;
}
