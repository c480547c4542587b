import type { Store } from "../api.ts";
import { Closing } from "../concurrency/abort.ts";
import type { UsingDisposable } from "../types.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { Turns } from "../store/turns.ts";
import { expiryOf } from "./change.ts";
import { entryOf, missing } from "./entry.ts";
import { type Index, indexesOf } from "./indexes.ts";
import { decodeKey, encodeKey, type Key, type KeyPart } from "./key.ts";
import { list } from "./list.ts";
import { Lookup } from "./lookup.ts";
import { deleteInTurn, type TransactionBase, transaction } from "./transaction.ts";
import type {
  IndexOptions,
  ListByOptions,
  MaybeEntry,
  ReindexOptions,
  Selector,
  VersionedEntry,
  VersionedList,
  VersionedListOptions,
  VersionedSetOptions,
  VersionedTransaction,
  WatchOptions,
} from "./types.ts";
import { encodeVersioned, settled } from "./value.ts";
import { watch } from "./watch.ts";

/** Options of {@link versioned}. */
export interface VersionedOptions {
  /**
   * The most bytes of a value's JSON, in UTF-8. Default: no limit of its own; `connect()` has
   * 16,384.
   */
  valueBytes?: number;
  /** How entries can be found by something else than their key. */
  indexes?: { readonly [name: string]: IndexOptions };
}

/**
 * A store with keys of several parts, a version for each entry, transactions and indexes.
 *
 * All methods reject with a {@link KvError}: KV_INVALID_KEY for an invalid key, KV_TOO_LARGE for a
 * key that is longer than the client takes, KV_CONNECTION, KV_CLOSED. Methods that write:
 * KV_NOT_SUPPORTED where `supports.atomic` is `"no"`.
 */
export interface VersionedStore extends UsingDisposable {
  /**
   * The entry under a key. `null` is a value here: an absent or expired key has `version: null`.
   * Clients that keep bare values have the version `"00000000000000000000"`.
   *
   * @throws {KvError} KV_FOREIGN for an item that this library did not write, KV_CORRUPT for a
   * damaged one.
   * @example
   * import kv from "anykv";
   * import { versioned } from "anykv/versioned";
   *
   * const store = versioned(kv());
   * await store.set(["users", "1"], null);
   * const { value, version } = await store.get(["users", "1"]);
   * console.log(value, version.length); // null 20
   * const none = await store.get(["users", "2"]);
   * console.log(none); // { key: ["users", "2"], value: null, version: null }
   */
  get<T = unknown>(key: Key): Promise<MaybeEntry<T>>;
  /**
   * The entries under several keys, in their order. Each is read by itself: `atomic().check(…)`
   * tells whether they were there together.
   */
  getMany<T = unknown>(keys: readonly Key[]): Promise<MaybeEntry<T>[]>;
  /**
   * Creates or replaces an entry with its deadline, and resolves to it. `undefined` is `null`. An
   * `expireIn` or `expires` of 0 deletes.
   *
   * @throws {KvError} KV_INVALID_VALUE for a value that is neither JSON nor a bigint,
   * KV_INVALID_EXPIRES, KV_TOO_LARGE, KV_VALIDATION when a unique index has another entry in the
   * same place; the old entry is kept.
   */
  set<T>(
    key: Key,
    value: T,
    options?: VersionedSetOptions,
  ): Promise<VersionedEntry<T> & { ok: true }>;
  /**
   * Deletes; resolves to whether there was something. Of many who delete an entry at once one is
   * told so.
   */
  delete(key: Key): Promise<boolean>;
  /**
   * The entries of a range in key order: bytes, strings, bigints, numbers, booleans; a key before
   * those that go on behind it. It is synchronous: iterate over the result. Where the client has no
   * order, it costs one pass over everything under the prefix, and its memory.
   *
   * @throws {KvError} KV_INVALID_VALUE at once for a selector or options of the wrong form; by the
   * iteration KV_INVALID_KEY for a range that cannot be, KV_INVALID_CURSOR for the cursor of
   * another listing, KV_INVALID_VALUE for a `batchSize` above 1,000.
   * @example
   * import kv from "anykv";
   * import { versioned } from "anykv/versioned";
   *
   * const store = versioned(kv());
   * for (const name of ["ann", "bob", "eve"]) await store.set(["users", name], { name });
   *
   * const page = store.list({ prefix: ["users"] }, { limit: 2 });
   * const names = [];
   * for await (const { value } of page) names.push(value.name);
   * console.log(names); // ["ann", "bob"]
   * const rest = store.list({ prefix: ["users"] }, { cursor: page.cursor });
   * const { value: last } = await rest.next();
   * console.log(last.key); // ["users", "eve"]
   */
  list<T = unknown>(selector: Selector, options?: VersionedListOptions): VersionedList<T>;
  /**
   * Begins a transaction. Synchronous, as are all its methods but `commit()`.
   *
   * @example
   * import kv from "anykv";
   * import { versioned } from "anykv/versioned";
   *
   * const store = versioned(kv());
   * const key = ["users", "1"];
   * const create = () =>
   *   store.atomic().check({ key, version: null }).set(key, "Ann").sum(["count"], 1n).commit();
   * console.log((await create()).ok, (await create()).ok); // true false
   * console.log((await store.get(["count"])).value); // 1n
   */
  atomic(): VersionedTransaction;
  /**
   * A stream of the entries under some keys: now, and again whenever one of them has changed.
   * Synchronous. Changes through versioned stores over the same connection come at once, others and
   * deadlines within the interval. It does not keep a program alive, and ends with the store or by
   * `cancel()`.
   *
   * @throws {KvError} at once KV_INVALID_KEY, KV_INVALID_VALUE when `interval` is not a duration.
   * The stream fails with KV_NOT_SUPPORTED for a client that keeps no versions.
   * @example
   * import kv from "anykv";
   * import { versioned } from "anykv/versioned";
   *
   * const store = versioned(kv());
   * const reader = store.watch([["a"]]).getReader();
   * console.log((await reader.read()).value[0].version); // null
   * await store.set(["a"], 1);
   * console.log((await reader.read()).value[0].value); // 1
   * await reader.cancel();
   */
  watch(keys: readonly Key[], options?: WatchOptions): ReadableStream<MaybeEntry[]>;
  /**
   * The entry that a unique index finds; `null` when there is none.
   *
   * @throws {KvError} KV_INVALID_VALUE for an index that there is not, or that is not unique.
   */
  getBy<T = unknown>(index: string, by: KeyPart | Key): Promise<VersionedEntry<T> | null>;
  /**
   * The entries that an index finds by this, in the order of their keys. Synchronous: iterate over
   * the result. It reads a page at a time. `limit`, `cursor` and `reverse` work as in `list()`.
   *
   * @throws {KvError} KV_INVALID_VALUE at once for wrong options. By the iteration:
   * KV_INVALID_VALUE for an unknown index, KV_INVALID_CURSOR for the cursor of another listing.
   * @example
   * import kv from "anykv";
   * import { versioned } from "anykv/versioned";
   *
   * const indexes = { team: { prefix: ["users"], of: (user) => user.team } };
   * const store = versioned(kv(), { indexes });
   * for (const name of ["ann", "bob", "eve"]) await store.set(["users", name], { team: "red" });
   *
   * const page = store.listBy("team", "red", { limit: 2 });
   * const names = [];
   * for await (const { key } of page) names.push(key[1]);
   * console.log(names); // ["ann", "bob"]
   * const rest = store.listBy("team", "red", { cursor: page.cursor });
   * console.log((await rest.next()).value.key); // ["users", "eve"]
   */
  listBy<T = unknown>(index: string, by: KeyPart | Key, options?: ListByOptions): VersionedList<T>;
  /**
   * Makes the indexes right for entries that were written or deleted without them. Resolves to how
   * many entries it looked at, each once for every index. Others may write meanwhile.
   *
   * @throws {KvError} KV_VALIDATION when two entries are found by the same in a unique index,
   * KV_INVALID_VALUE when an index cannot place an entry; earlier changes stay.
   */
  reindex(options?: ReindexOptions): Promise<number>;
  /** Ends watches, and the connection of the store underneath. A second call does nothing. */
  close(): Promise<void>;
  /** The same at the end of a block, for `using`, which does not wait for it. */
}

/**
 * A store with array keys, versions and transactions over any store.
 *
 * @param store its client has to offer compare-and-set across everyone who writes:
 * `store.supports.atomic`. Entries lie in it under readable texts: `["users", "1"]` is `"users 1"`.
 * @throws {KvError} at once: KV_INVALID_CLIENT for anything but a store, KV_INVALID_VALUE and
 * KV_INVALID_KEY for indexes that are none.
 * @example
 * import kv from "anykv";
 * import { versioned } from "anykv/versioned";
 *
 * const store = versioned(kv(new Map()));
 * await store.set(["users", "1"], { name: "Ann" });
 * const { key, value, version } = await store.get(["users", "1"]);
 * const older = { ...value, age: 41 };
 * const { ok } = await store.atomic().check({ key, version }).set(key, older).commit();
 * console.log(ok); // true
 * for await (const entry of store.list({ prefix: ["users"] })) console.log(entry.value.age); // 41
 */
export function versioned<V>(store: Store<V>, options: VersionedOptions = {}): VersionedStore {
  checkOptions(options, ["valueBytes", "indexes"], "versioned()");
  const { valueBytes = Infinity, indexes: declared } = options;
  const inner = store as unknown as Store<unknown>;
  const context = contextOf(inner);
  if (context === undefined)
    throw new KvError(
      "KV_INVALID_CLIENT",
      "versioned() is put over a store: versioned(kv(client))",
    );
  if (!(valueBytes >= 0))
    throw new KvError("KV_INVALID_VALUE", '"valueBytes" is a number of bytes');
  const indexes = indexesOf(declared);
  const base: TransactionBase = {
    context,
    turns: new Turns(context),
    indexes,
    codec: context.codec,
    valueBytes,
  };
  const closing = new Closing();

  const get = <T>(key: Key): Promise<MaybeEntry<T>> => getEntryOf<T>(inner, key);
  const found = new Lookup(inner, indexes);
  return {
    get,
    getMany: async <T>(keys: readonly Key[]) => Promise.all(listOf(keys).map((key) => get<T>(key))),
    set: (key, value, written) => setEntry(base, inner, key, value, written),
    delete: async (key) => deleteInTurn(base, encodeKey(key)),
    list: (selector, options) => list(inner, selector, options),
    atomic: () => transaction(base),
    watch(keys, options) {
      const own = listOf(keys).map((key) => encodeKey(key));
      return watch(
        context,
        own,
        () => Promise.all(own.map((text) => get(decodeKey(text)!))),
        closing,
        options,
      );
    },
    getBy: (name, by) => found.getBy(name, by),
    listBy: (name, by, listed) => found.listBy(name, by, listed),
    reindex: (wanted) => found.reindex(wanted),
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

/** @throws {KvError} KV_INVALID_KEY. */
function listOf(keys: readonly Key[]): readonly Key[] {
  if (Array.isArray(keys)) return keys;
  throw new KvError(
    "KV_INVALID_KEY",
    "several keys are given as an array of keys, each of them an array of parts",
  );
}

async function getEntryOf<T>(store: Store<unknown>, key: Key): Promise<MaybeEntry<T>> {
  const text = encodeKey(key);
  // A copy: the caller's own array may have changed when the answer comes.
  const own = decodeKey(text)!;
  const entry = await store.entry<unknown>(text);
  return entry === null ? missing(own) : entryOf<T>(own, entry);
}

async function setEntry<T>(
  base: TransactionBase,
  store: Store<unknown>,
  key: Key,
  given: T,
  options?: VersionedSetOptions,
): Promise<VersionedEntry<T> & { ok: true }> {
  const text = encodeKey(key);
  const own = decodeKey(text)!;
  const value = settled(given, base.codec, base.valueBytes) as T;
  const taken = (index: Index): never => {
    throw new KvError(
      "KV_VALIDATION",
      `the index ${JSON.stringify(index.name)} is unique, ` +
        "and another entry is found by the same",
      { client: store.type, key: text },
    );
  };
  const isIndexed = base.indexes.some((index) => text.startsWith(index.base));
  const written = isIndexed
    ? await transaction(base, taken).set(own, value, options).commit()
    : await store.commit(
        [],
        [{ key: text, value: encodeVersioned(value), expires: expiryOf(options) }],
      );
  // Without checks, a commit succeeds or rejects.
  return { ok: true, key: own, value, version: (written as { version: string }).version };
}
