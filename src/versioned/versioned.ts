import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { contextOf } from "../store.ts";
import { entryOf, missing } from "./entry.ts";
import { type Index, indexesOf } from "./indexes.ts";
import { decodeKey, encodeKey, type Key, type KeyPart } from "./key.ts";
import { list } from "./list.ts";
import { lookup } from "./lookup.ts";
import { expiryOf, type Ground, transaction, untilDone } from "./transaction.ts";
import type { IndexOptions, MaybeEntry, ReindexOptions, Selector, VersionedEntry, VersionedList, VersionedListOptions, VersionedSetOptions, VersionedTransaction, WatchOptions } from "./types.ts";
import { encodeValue, settled } from "./value.ts";
import { tell, watch } from "./watch.ts";

/** Options of {@link versioned}. */
export interface VersionedOptions {
  /** The most bytes of a value's JSON. Default: none for a local store, 16,384 for a remote one. */
  valueBytes?: number;
  /** How entries can be found by something else than their key. */
  indexes?: { readonly [name: string]: IndexOptions<never> };
}

/** A store with keys of several parts, a version for each entry, transactions and indexes. All methods but those that say so return promises. */
export interface VersionedStore {
  /** The entry under a key. `null` is a value here: what is absent has `version: null`. */
  get<T = unknown>(key: Key): Promise<MaybeEntry<T>>;
  /** The entries under several keys, in their order. */
  getMany<T = unknown>(keys: readonly Key[]): Promise<MaybeEntry<T>[]>;
  /** Creates or replaces an entry, and resolves to it. */
  set<T>(key: Key, value: T, options?: VersionedSetOptions): Promise<VersionedEntry<T> & { ok: true }>;
  /** Deletes; resolves to whether there was something. */
  delete(key: Key): Promise<boolean>;
  /** The entries of a range in key order. Synchronous: what it returns is iterated. */
  list<T = unknown>(selector: Selector, options?: VersionedListOptions): VersionedList<T>;
  /** Begins a transaction. Synchronous, as are all its methods but `commit()`. */
  atomic(): VersionedTransaction;
  /** A stream of the entries under some keys: now, and again whenever one of them has changed. Synchronous. */
  watch(keys: readonly Key[], options?: WatchOptions): ReadableStream<MaybeEntry[]>;
  /** The entry that a unique index finds. */
  getBy<T = unknown>(index: string, by: KeyPart | Key): Promise<VersionedEntry<T> | null>;
  /** The entries that an index finds by this, in the order of their keys. Synchronous. */
  listBy<T = unknown>(index: string, by: KeyPart | Key): AsyncGenerator<VersionedEntry<T>, void, undefined>;
  /** Makes the indexes right for entries that were written without them. Resolves to how many entries it looked at. */
  reindex(options?: ReindexOptions): Promise<number>;
  /** Ends watches, and the connection of the store underneath. */
  close(): Promise<void>;
  [Symbol.dispose](): void;
}

/**
 * A store with array keys, versions and transactions over any store.
 *
 * @param store its client has to offer compare-and-set across everyone who writes: `store.supports.atomic`.
 * @throws {KvError} KV_NOT_SUPPORTED (its writes) when `store.supports.atomic` is `"no"`; KV_INVALID_KEY for keys that are none; KV_INVALID_VALUE, KV_TOO_LARGE.
 * @example
 * import kv from "anykv";
 * import { versioned } from "anykv/versioned";
 *
 * const store = versioned(kv(new Map()));
 * await store.set(["users", "1"], { name: "Ann" });
 * const { key, value, version } = await store.get(["users", "1"]);
 * const { ok } = await store.atomic().check({ key, version }).set(key, { ...value, age: 41 }).commit();
 * console.log(ok); // true
 * for await (const entry of store.list({ prefix: ["users"] })) console.log(entry.value.age); // 41
 */
export function versioned(store: Store<never> | Store, { valueBytes = Infinity, indexes: declared }: VersionedOptions = {}): VersionedStore {
  const inner = store as unknown as Store<unknown>;
  const context = contextOf(inner);
  if (context === undefined) throw new KvError("KV_INVALID_CLIENT", "versioned() is put over a store: versioned(kv(client))");
  if (!(valueBytes >= 0)) throw new KvError("KV_INVALID_VALUE", '"valueBytes" is a number of bytes');
  const indexes = indexesOf(declared);
  const ground: Ground = { store: inner, indexes, codec: context.codec, valueBytes, wrote: (texts) => tell(inner, texts) };
  const closing = new AbortController();

  async function get<T>(key: Key): Promise<MaybeEntry<T>> {
    const text = encodeKey(key);
    // Not the caller's own array: that may have changed when the answer comes.
    const own = decodeKey(text)!;
    const entry = await inner.entry<unknown>(text);
    return entry === null ? missing(own) : entryOf<T>(own, entry);
  }

  async function set<T>(key: Key, value: T, options?: VersionedSetOptions): Promise<VersionedEntry<T> & { ok: true }> {
    const text = encodeKey(key);
    const entry = { ok: true as const, key: decodeKey(text)!, value: settled(value, context!.codec, valueBytes) as T };
    if (indexes.some(({ base }) => text.startsWith(base))) {
      const taken = (index: Index): never => {
        throw new KvError("KV_VALIDATION", `the index ${JSON.stringify(index.name)} is unique, and another entry is found by the same`, { client: inner.type, key: text });
      };
      const { version } = (await transaction(ground, taken).set(entry.key, entry.value, options).commit()) as { version: string };
      return { ...entry, version };
    }
    const { version } = (await inner.commit([], [{ key: text, value: encodeValue(entry.value), expires: expiryOf(options) }])) as { version: string };
    ground.wrote([text]);
    return { ...entry, version };
  }

  async function remove(key: Key): Promise<boolean> {
    const own = decodeKey(encodeKey(key))!;
    return untilDone(async () => {
      const { version } = await get(own);
      if (version !== null) return (await transaction(ground).check({ key: own, version }).delete(own).commit()).ok || null;
      // What could never be deleted is refused also when it is not there.
      if (inner.supports.atomic === "no") await inner.commit([], []);
      return false;
    });
  }

  const { getBy, listBy, reindex } = lookup(inner, indexes);
  return {
    get,
    getMany: async <T>(keys: readonly Key[]) => Promise.all(keys.map((key) => get<T>(key))),
    set,
    delete: remove,
    list: (selector, options) => list(inner, selector, options),
    atomic: () => transaction(ground),
    watch(keys, options) {
      const own = keys.map((key) => encodeKey(key));
      return watch(inner, own, () => Promise.all(own.map((text) => get(decodeKey(text)!))), closing.signal, options);
    },
    getBy,
    listBy,
    reindex,
    close: () => {
      closing.abort();
      return inner.close();
    },
    [Symbol.dispose]() {
      closing.abort();
      inner.close().catch(() => {});
    },
  };
}
