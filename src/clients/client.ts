import type { MaybePromise, Supports } from "../types.ts";

/** The options of `set` and `add` of a custom client: the remaining seconds, `null` for never. */
export interface CustomSetOptions {
  expires: number | null;
}

type Pairs = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>;

/**
 * A client of your own: `get` and `set` are needed, `iterate` to list. Every key and prefix arrives
 * in full, and every key that is handed back is in full too. Methods may answer at once or with a
 * promise.
 */
export interface CustomClient {
  /** The name that `store.type` and errors show. Default `"CUSTOM"`. */
  TYPE?: string;
  /** `true`: the client drops expired values itself and is handed bare values. Default `false`. */
  EXPIRES?: boolean;
  /** Another name for `EXPIRES`. */
  HAS_EXPIRATION?: boolean;
  /** Awaited once, before the first operation; again after it failed. */
  connect?(): unknown;
  get(key: string): unknown;
  set(key: string, value: unknown, options: CustomSetOptions): unknown;
  iterate?(prefix: string): Pairs;
  add?(prefix: string, value: unknown, options: CustomSetOptions): MaybePromise<string>;
  has?(key: string): MaybePromise<boolean>;
  del?(key: string): unknown;
  entries?(prefix: string): MaybePromise<Iterable<readonly [string, unknown]>>;
  keys?(prefix: string): MaybePromise<Iterable<string>>;
  values?(prefix: string): MaybePromise<Iterable<unknown>>;
  clear?(prefix: string): unknown;
  close?(): unknown;
}

// The shapes of clients, by which their kinds are told apart. No types of client libraries are
// needed.

/**
 * Any method. It has no call signature, so that the parameters of a custom client's methods get
 * their types from {@link CustomClient} alone.
 */
interface Method {
  readonly name: string;
  readonly length: number;
  call(...args: never[]): unknown;
}

/**
 * A Map, a store, a Redis, Deno KV, lru-cache or Keyv client, or an instance of a class of one's
 * own.
 */
interface GetSet {
  readonly get: Method;
  readonly set: Method;
}

/** Web Storage, localForage or unstorage. */
interface Items {
  readonly getItem: Method;
  readonly setItem: Method;
  readonly removeItem: Method;
}

/** `indexedDB`. */
interface Databases {
  readonly deleteDatabase: Method;
  readonly cmp: Method;
}

/** A Level database. */
interface Level {
  readonly put: Method;
  readonly batch: Method;
  readonly iterator: Method;
  readonly sublevel: Method;
}

/** A SQLite database. */
interface Sqlite {
  readonly prepare: Method;
  readonly exec: Method;
  readonly close: Method;
}

/** A Pool or Client of `pg`. */
interface Pg {
  readonly query: Method;
  readonly connect: Method;
}

/** A PGlite database. */
interface Pglite {
  readonly query: Method;
  readonly exec: Method;
  readonly listen: Method;
}

/** An `Etcd3` or one of its namespaces. */
interface Etcd {
  readonly getAll: Method;
  readonly put: Method;
  readonly delete: Method;
  readonly namespace: Method;
}

/** A Workers KV binding. */
interface Workers {
  readonly get: Method;
  readonly put: Method;
  readonly list: Method;
  readonly getWithMetadata: Method;
}

/** A URL object. */
interface Address {
  readonly href: string;
  readonly protocol: string;
  readonly searchParams: object;
}

/** The result of a client factory: a `Source`. */
interface Made {
  readonly type: string;
  readonly supports: Supports;
  readonly open: Method;
}

type Text =
  | "cookie"
  | `file:${string}`
  | `http://${string}`
  | `https://${string}`
  | `indexeddb://${string}`;

type Settled =
  | CustomClient
  | GetSet
  | (new () => GetSet)
  | Items
  | Databases
  | Level
  | Sqlite
  | Pg
  | Pglite
  | Etcd
  | Workers
  | Address
  | Text
  | Made;

/**
 * The argument of `kv()`: a client, a custom class, a URL, another store, or a promise of one of
 * these.
 */
export type Client = Settled | PromiseLike<Settled>;
