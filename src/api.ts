import type {
  AsyncUsingDisposable,
  CommitResult,
  Duration,
  Expires,
  Json,
  Requires,
  StoreType,
  Supports,
} from "./types.ts";

/** The compile-time error for a value that JSON cannot keep. */
export interface NotJson {
  "only JSON values can be stored: convert it, or use a codec": never;
}

type Method = (...args: never[]) => unknown;
type MethodsOf<T> = { [K in keyof T]-?: T[K] extends Method ? K : never }[keyof T];

/**
 * `T` itself, with {@link NotJson} in place of whatever JSON cannot keep: functions, symbols,
 * bigints, and objects with methods. A value of the type `unknown` is checked when it is stored.
 */
export type Storable<T> = unknown extends T
  ? T
  : [T] extends [Json | undefined]
    ? T
    : T extends bigint | symbol | Method
      ? NotJson
      : T extends readonly unknown[]
        ? { [K in keyof T]: Storable<T[K]> }
        : T extends object
          ? [MethodsOf<T>] extends [never]
            ? { [K in keyof T]: K extends symbol ? NotJson : Storable<T[K]> }
            : NotJson
          : T;

/** Stands for the type of the store's own values, where a call names none. */
export interface Own {
  readonly "the type of the store": never;
}

/** The compile-time error for a read as another type than that of the store. */
export interface OtherType {
  readonly "the values of this store have another type": never;
}

/**
 * A key to read as a `T`: any key of an untyped store; of a typed one only if its values can be a
 * `T`.
 */
export type Key<V, T> = [T] extends [Own]
  ? string
  : [Json] extends [V]
    ? string
    : [V] extends [T]
      ? string
      : [T] extends [V]
        ? string
        : string & OtherType;

/** The type of a read value: `T`, or the type of the store's values where no `T` is given. */
export type Value<V, T> = [T] extends [Own] ? V : T;

/**
 * The values that a store of `V` takes: any JSON-like type for a store of JSON, exactly `V` for
 * another.
 */
export type Input<V, T> =
  | V
  | ([Json] extends [V] ? ([V] extends [Json] ? T & Storable<T> : V) : V)
  | null
  | undefined;

/** Turns values that JSON cannot keep into JSON and back. `anykv/codec` ships some. */
export interface Codec<V = unknown> {
  /**
   * Marks the values that `encode` changes. Reading one without a codec of this name is KV_CORRUPT.
   * Default: none, and such values are read as the JSON that they were turned into.
   */
  readonly name?: string | undefined;
  /** The JSON for a value. An error that it throws becomes KV_INVALID_VALUE. */
  encode(value: V): Json;
  /** The value for the JSON. An error that it throws becomes KV_CORRUPT. */
  decode(json: Json): V;
}

/** Options of `kv()` but for the codec. */
export interface PlainOptions<S extends string = string> {
  /** A literal text before every key. Default `""`. */
  prefix?: string | undefined;
  /** The expiry of every write that names none. Default `null`: never. */
  expires?: number | Duration<S> | Date | null | undefined;
  /**
   * The least that `store.supports` has to show, such as `{ persistent: true, atomic: "yes" }`.
   * Another client is rejected with KV_NOT_SUPPORTED at once; a promise of one rejects every
   * operation. Default: nothing.
   */
  requires?: Requires | undefined;
  /**
   * How long each request to the client may take: seconds (up to 600), or a string such as
   * `"500ms"`; `0` for as long as it takes. Past it the operation rejects with KV_CONNECTION, and a
   * write may still be done. An operation of many requests, such as a listing, has it for each;
   * `getMany`, `setMany` and `commit` have it for each thousand keys, `clear` and `prune` ten
   * times. Default `"5s"`.
   */
  timeout?: number | string | null | undefined;
}

/** Options of `kv()`. */
export interface KvOptions<V = unknown, S extends string = string> extends PlainOptions<S> {
  /** Widens what can be stored beyond JSON. */
  codec?: Codec<V> | undefined;
}

/** Options of a write. */
export interface SetOptions<S extends string = string> {
  /** When the value expires; `null` for never. Default: the store's. */
  expires?: number | Duration<S> | Date | null | undefined;
  /** JSON to keep beside the value; `entry()` and `list()` show it. Default `null`. */
  metadata?: unknown;
  /** A literal text between the store's own prefix and the key. Default `""`. */
  prefix?: string | undefined;
}

/** A value with its version, expiry time and metadata. */
export interface Entry<V = Json> {
  /** The key without the store's prefix. */
  key: string;
  value: V;
  /**
   * 20 hexadecimal digits that change with each write and grow; `null` for clients that keep bare
   * values.
   */
  version: string | null;
  /**
   * The deadline in milliseconds since 1970; `null` for never, or where the client does not tell.
   */
  expires: number | null;
  metadata: Json;
}

/** Options of `list()`. */
export interface ListOptions {
  /** Only keys that start with this literal text, which stays part of them. Default `""`. */
  prefix?: string | undefined;
  /** The most entries of a page: a whole number from 1. Default 100. */
  limit?: number | undefined;
  /** The `cursor` of the page before. Default `null`: from the start. */
  cursor?: string | null | undefined;
  /** From the last key to the first. Default `false`. */
  reverse?: boolean | undefined;
  /**
   * `false`: in any order, where that makes pages cheap. A page may then be short, or empty while
   * there is more, and a key may come twice. Each key that is present throughout comes at least
   * once. Clients with an order keep it. Default `true`.
   */
  ordered?: boolean | undefined;
}

/** A page of entries in key order; `cursor` is `null` on the last. */
export interface EntryPage<V = Json> {
  entries: Entry<V>[];
  cursor: string | null;
}

/** A condition of `commit()`: the key has this version; `null` means absent. */
export interface CommitCheck {
  key: string;
  version: string | null;
}

/** A change of `commit()`: like `set(key, value, options)`. */
export interface CommitWrite extends SetOptions {
  key: string;
  /** `null` deletes. */
  value: unknown;
}

/** The watched keys: one key, up to 1,000 keys, or all keys that start with a literal text. */
export type WatchTarget = string | readonly string[] | { readonly prefix: string };

/** Options of `watch()`. */
export interface StoreWatchOptions {
  /** Ends the watch when it is aborted. */
  signal?: AbortSignal | undefined;
  /**
   * Starts with the current entries: every present key of a prefix, and each key that is named,
   * with `null` for an absent one. Default `false`.
   */
  initial?: boolean | undefined;
  /**
   * The time between two looks at a client that reports no changes (`supports.watch` is
   * `"polled"`): seconds, or a string such as `"500ms"`. Default `"1s"`.
   */
  interval?: number | string | undefined;
}

/** One change: the entry as it is now, or `null` when the key is absent. */
export interface WatchEvent<V = Json> {
  /** The key without the store's prefix. */
  key: string;
  entry: Entry<V> | null;
}

/** A watch: an async iterable of changes. It does not keep the process alive. */
export interface StoreWatch<V = Json> extends AsyncIterable<WatchEvent<V>>, AsyncUsingDisposable {
  /**
   * Resolves when every later change will be reported. Rejects with KV_INVALID_KEY,
   * KV_INVALID_VALUE, KV_CLOSED, KV_NOT_SUPPORTED or KV_CONNECTION, as the iteration does.
   */
  readonly ready: Promise<void>;
  next(): Promise<IteratorResult<WatchEvent<V>, void>>;
  return(): Promise<IteratorResult<WatchEvent<V>, void>>;
  /** Ends the watch and releases everything that it holds. A second call does nothing. */
  close(): Promise<void>;
  [Symbol.asyncIterator](): StoreWatch<V>;
}

/** Properties of a store. */
export interface StoreOptions {
  /** The text before all of its keys, with the prefixes of the stores that it was made from. */
  readonly prefix: string;
  /** The expiry of writes that name none; `null` for never. */
  readonly expires: Expires;
}

/**
 * One key-value store over any client: the same keys, values, expiry and errors on each of them.
 *
 * Every method returns a promise but `prefix()`, `expires()` and `iterate()`. Methods work detached
 * (`keys.map(store.del)`). Methods on single keys ignore surplus arguments. Methods over the whole
 * store (`clear prune keys values entries iterate`) reject any argument with KV_INVALID_VALUE.
 *
 * All of them reject with a {@link KvError}: KV_INVALID_KEY and KV_TOO_LARGE for keys and prefixes,
 * KV_INVALID_VALUE for unknown options, KV_CONNECTION when the client fails, KV_CLOSED after
 * `close()`.
 *
 * @typeParam V the type of the values. `Store` alone is a store of values of any type; `kv(client)`
 * is a `Store<Json>`.
 */
export interface Store<V = unknown> extends AsyncIterable<[key: string, value: V]> {
  /**
   * The kind of client, e.g. `"SQLITE"`; `"PENDING"` while a promise of a client is not settled.
   */
  readonly type: StoreType | (string & {});
  /** The capabilities of the client; the defaults while a promise of a client is pending. */
  readonly supports: Supports;
  /** The options of the store: its whole prefix and its default expiry. */
  readonly options: StoreOptions;

  /**
   * Reads a value.
   *
   * @returns `null` when the key is absent or expired.
   * @throws {KvError} KV_FOREIGN for an item that this library did not write, KV_CORRUPT for a
   * damaged one.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("key3", { name: "Francisco" });
   * console.log(await store.get("key3")); // { name: "Francisco" }
   * console.log(await store.get("missing")); // null
   */
  get<T = Own>(key: Key<V, T>): Promise<Value<V, T> | null>;

  /**
   * Creates or replaces a value, its deadline and its metadata. `null` and `undefined` as the
   * value, and an `expires` of zero or below, delete.
   *
   * @returns the key.
   * @throws {KvError} KV_INVALID_VALUE, KV_INVALID_EXPIRES, KV_TOO_LARGE or KV_QUOTA; the old value
   * is kept.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("key1", "Hello World");
   * await store.set("key2", ["my", "grocery", "list"], { expires: "1h" });
   * await store.set("key3", { name: "Francisco" }, { expires: 60 * 60, metadata: { by: "ann" } });
   * console.log((await store.entry("key3")).metadata); // { by: "ann" }
   */
  set<T, S extends string = string>(
    key: string,
    value: Input<V, T>,
    options?: SetOptions<S>,
  ): Promise<string>;

  /**
   * Keeps a value under a new key of 24 random alphanumeric characters (142 bits from the
   * platform's cryptography).
   *
   * @returns the key, without the store's prefix.
   * @throws {KvError} as `set()`; KV_INVALID_VALUE for `null` too, since there is nothing to keep.
   * @example
   * import kv from "anykv";
   *
   * const session = kv().prefix("session:");
   * const key = await session.add("value1");
   * console.log(/^[A-Za-z0-9]{24}$/.test(key)); // true
   * console.log((await session.keys()).length); // 1
   */
  add<T, S extends string = string>(value: Input<V, T>, options?: SetOptions<S>): Promise<string>;

  /**
   * Whether a key is present and not expired. An item that this library did not write is not.
   *
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("cookie-consent", false);
   * console.log(await store.has("cookie-consent")); // true
   */
  has(key: string): Promise<boolean>;

  /**
   * Deletes a key; a missing one is no error.
   *
   * @returns the key.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * console.log(await Promise.all(["key1", "key2"].map(store.del))); // ["key1", "key2"]
   */
  del(key: string): Promise<string>;

  /** Reads many values, in the order of the keys, with `null` for each that is absent. */
  getMany<T = Own>(keys: Iterable<Key<V, T>>): Promise<(Value<V, T> | null)[]>;

  /**
   * Writes many values. The options are common to all; an entry may have its own as its third
   * member, which go before the common ones. All entries are checked before the first is written.
   * It is no transaction (see `commit()`).
   *
   * @returns the keys, in order.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.setMany([["a", 1], ["b", 2, { expires: "1d" }]], { expires: "1h" });
   * console.log(await store.getMany(["b", "a", "c"])); // [2, 1, null]
   * await store.delMany(["a", "b"]);
   */
  setMany<T extends readonly unknown[], S extends string = string>(
    entries: readonly [
      ...{
        [I in keyof T]: readonly [
          key: string,
          value: Input<V, T[I]>,
          options?: SetOptions | undefined,
        ];
      },
    ],
    options?: SetOptions<S>,
  ): Promise<string[]>;
  setMany<T, S extends string = string>(
    entries: Iterable<
      readonly [key: string, value: T & Input<V, NoInfer<T>>, options?: SetOptions | undefined]
    >,
    options?: SetOptions<S>,
  ): Promise<string[]>;

  /** Deletes many keys. Resolves to them, in order. */
  delMany(keys: Iterable<string>): Promise<string[]>;

  /**
   * The value with its version, deadline and metadata; `null` when the key is absent or expired.
   *
   * @throws {KvError} as `get()`.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("a", 1);
   * const { key, value, expires, version } = await store.entry("a");
   * console.log([key, value, expires]); // ["a", 1, null]
   * console.log(version.length); // 20
   */
  entry<T = Own>(key: Key<V, T>): Promise<Entry<Value<V, T>> | null>;

  /**
   * Moves the deadline of a present key and keeps the value; zero or below deletes. Resolves to
   * whether the key was present.
   *
   * @throws {KvError} KV_INVALID_EXPIRES.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("session", "ann", { expires: "10m" });
   * console.log(await store.touch("session", "1h")); // true
   * console.log(await store.touch("other", "1h")); // false
   */
  touch<S extends string = string>(
    key: string,
    expires: number | Duration<S> | Date | null,
  ): Promise<boolean>;

  /** All keys, without the store's prefix. */
  keys(): Promise<string[]>;
  /** All values. */
  values<T = V>(): Promise<T[]>;
  /** All pairs of key and value, like `Object.entries()`. */
  entries<T = V>(): Promise<[key: string, value: T][]>;

  /**
   * All values by key, as an object. With a filter only the keys that start with it; they keep it.
   *
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.setMany([["user:ann", 1], ["user:bob", 2], ["team:x", 3]]);
   * console.log(await store.all("user:")); // { "user:ann": 1, "user:bob": 2 }
   * console.log(await store.prefix("user:").all()); // { ann: 1, bob: 2 }
   */
  all<T = V>(filter?: string): Promise<{ [key: string]: T }>;

  /**
   * One page of entries, ordered by the UTF-8 bytes of their keys. Costs one page where
   * `supports.order`; elsewhere one pass over the prefix, in which the values of a page of up to
   * 500 are read alone: it is shorter when entries are deleted meanwhile.
   *
   * @throws {KvError} KV_INVALID_CURSOR for a cursor of another listing, KV_INVALID_VALUE for a
   * limit below 1, KV_NOT_SUPPORTED where the client cannot list.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.setMany([["a", 1], ["b", 2], ["c", 3]]);
   * const first = await store.list({ limit: 2 });
   * console.log(first.entries.map((entry) => entry.key)); // ["a", "b"]
   * const last = await store.list({ limit: 2, cursor: first.cursor });
   * console.log(last.entries.map((entry) => entry.key), last.cursor); // ["c"] null
   */
  list<T = V>(options?: ListOptions): Promise<EntryPage<T>>;

  /**
   * Streams all pairs, a bounded page at a time; the same as
   * `for await (const [key, value] of store)`. Keys that are present throughout come exactly once,
   * whatever is written meanwhile.
   *
   * @throws {KvError} KV_NOT_SUPPORTED where the client cannot list.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("a", 1);
   * for await (const [key, value] of store) console.log(key, value); // a 1
   */
  iterate<T = V>(): AsyncGenerator<[key: string, value: T], void, undefined>;

  /**
   * Reports changes of keys by any writer. Changes that follow each other fast may be reported as
   * one; the last one is always reported. The deadline of a key is reported as its absence.
   *
   * Where `supports.watch` is `"native"` the client reports its changes; elsewhere it is looked at
   * every `interval`. Changes that stores of this process make are reported at once. A watch of a
   * prefix reads its keys once, and keeps their versions in memory.
   *
   * The iteration ends with `close()`, `break`, the signal or `store.close()`, and rejects with
   * KV_CONNECTION when a lost connection is not restored within the store's timeout.
   *
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * const changes = store.watch("stock");
   * await changes.ready;
   * await store.set("stock", 5);
   * for await (const { key, entry } of changes) {
   *   console.log(key, entry.value); // stock 5
   *   break;
   * }
   */
  watch<T = V>(target: WatchTarget, options?: StoreWatchOptions): StoreWatch<T>;

  /** Deletes all keys of this store and nothing else. */
  clear(): Promise<void>;
  /** Removes the expired records of this store from the client now. Resolves to how many. */
  prune(): Promise<number>;
  /**
   * Ends the connection, for this store and all that were made from it. A second call does nothing.
   * An operation that is still under way is done, or rejects with KV_CLOSED.
   */
  close(): Promise<void>;

  /**
   * Writes all or nothing, if every checked key still has its version. Not offered where
   * `supports.atomic` is `"no"`.
   *
   * @returns `{ ok: true, version }`, or `{ ok: false, failed }` with the keys whose checks failed.
   * @throws {KvError} KV_NOT_SUPPORTED, and as `set()`.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * await store.set("stock", 5);
   * const { value, version } = await store.entry("stock");
   * const write = { key: "stock", value: value - 1 };
   * const result = await store.commit([{ key: "stock", version }], [write]);
   * console.log(result.ok, await store.get("stock")); // true 4
   */
  commit(checks: Iterable<CommitCheck>, writes: Iterable<CommitWrite>): Promise<CommitResult>;

  /**
   * A store over the same client whose keys all start with this literal text, behind this store's
   * own prefix.
   *
   * @throws {KvError} KV_INVALID_KEY at once, for anything but a well-formed string.
   * @example
   * import kv from "anykv";
   *
   * const store = kv();
   * const session = store.prefix("session:");
   * await session.set("key1", "Hello");
   * console.log(await store.get("session:key1")); // "Hello"
   */
  prefix(prefix?: string): Store<V>;

  /**
   * A store over the same client whose writes expire after this, unless they say otherwise.
   *
   * @throws {KvError} KV_INVALID_EXPIRES at once.
   * @example
   * import kv from "anykv";
   *
   * const cache = kv().expires("10m");
   * await cache.set("a", 1);
   * console.log((await cache.entry("a")).expires > Date.now()); // true
   */
  expires<S extends string = string>(expires: number | Duration<S> | Date | null): Store<V>;
}
