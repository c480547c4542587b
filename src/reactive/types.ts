import type { Store } from "../api.ts";

/**
 * A value of a state: all that structured clone keeps, so JSON, `Date`, `Map`, `Set`, bytes,
 * `bigint`, and references that are shared or go round in circles. Nothing else is stored:
 * functions, symbols, promises and the like are refused when they are to be written. Classes come
 * back as plain objects.
 */
export type Storable =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | (object & { readonly [Symbol.hasInstance]?: never })
  | { readonly [name: string]: unknown };

/**
 * How a state stands: `"init"` until the stored value is known, `"ready"`, `"error"` when it could
 * not be loaded or a change was rejected, `"removed"` when its key was removed.
 */
export type KVStatus = "init" | "ready" | "error" | "removed";

/** A value that is kept: change `data` as any object, at any depth, or replace it. */
export interface KVState<T = Storable> {
  /**
   * The value. `Date` and bytes are replaced, not changed in place: there is no telling when they
   * are.
   */
  data: T;
  /** See {@link KVStatus}. Writing it changes nothing. */
  status: KVStatus;
  /** Why `status` is `"error"`; absent otherwise. */
  error?: Error;
}

/** A key and the value that it has in a new store. */
export type KVSeed<T = Storable> = readonly [key: string, value: T];

/**
 * An event of `store().subscribe()`: the store is open or closed, or a key was written here or
 * elsewhere.
 */
export type KVEvent =
  | { readonly type: "open" | "closed" }
  | { readonly type: "set"; readonly key: string; readonly value: unknown }
  | { readonly type: "delete"; readonly key: string };

/** A write under way. */
export interface KVOperation {
  /**
   * Resolves when the write is stored, however often it is asked for. A write that a later one of
   * the same key overtakes before it began ends with that one.
   *
   * @throws {KvError} with the reason of a refusal, when it is asked for.
   */
  promise(): Promise<void>;
}

/** The rows under the states of a {@link KVFn}. */
export interface KVStore {
  /**
   * `"idle"` before the first use, `"init"` while it loads, `"open"`, or `"closed"`: after
   * `close()`, and while it cannot be opened.
   */
  readonly status: "idle" | "init" | "open" | "closed";
  /** Why it could not be opened. */
  readonly error: Error | undefined;
  /** Whether something is waiting or under way. */
  readonly busy: boolean;
  /**
   * The value of a key as far as it is loaded, changes that are not stored yet included;
   * `undefined` for nothing. Not to be changed.
   */
  get(key: string): unknown;
  /**
   * Writes a copy of a value, which the state of the key shows at once. `undefined` deletes. Before
   * the store is open it is kept for then.
   */
  set(key: string, value: Storable): KVOperation;
  /** Deletes a key; a missing one is no error. Its state goes as by `remove()`. */
  delete(key: string): KVOperation;
  /**
   * Has a function called with each event, once it is stored, until the function that is returned
   * is called.
   */
  subscribe(listener: (event: KVEvent) => void): () => void;
  /** Resolves when the store is open, or could not be opened. */
  promise(): Promise<{ readonly type: "open" | "closed" }>;
  /**
   * Writes pending changes, and resolves when all are stored. @throws {KvError} the reason when it
   * could not be opened, or a write was refused.
   */
  completed(): Promise<true>;
  /**
   * Writes pending changes, then ends. States keep their values; later changes are rejected with
   * KV_CLOSED. The client of the option `store` stays open.
   */
  close(): Promise<void>;
}

/** Options of {@link KVFn.subscribe}. */
export interface SubscribeOptions {
  /**
   * Calls the function within each change, instead of once after all changes that are made at once.
   * Default `false`.
   */
  readonly sync?: boolean;
}

/** A function that gives the state of a key, and all that belongs to it. */
export interface KVFn {
  /**
   * The state of a key: the same object for all who ask, counted. A stored value wins over `init`,
   * which is written where there is none. The object of the caller is copied. A change that is made
   * before the store has loaded wins over the stored value.
   *
   * @param init a value to begin with; without one nothing is stored before `data` is set.
   * @throws {KvError} KV_INVALID_KEY for a key that is no well-formed, non-empty string.
   */
  <T>(key: string, init: T): KVState<T>;
  <T>(key: string): KVState<T | undefined>;
  /**
   * The same without counting, for code that only looks: a state that is no longer used goes with
   * the last `leave()`.
   */
  peek<T>(key: string, init: T): KVState<T>;
  peek<T>(key: string): KVState<T | undefined>;
  /**
   * Gives a state back. When all have, it ends: pending changes are still written, and the next
   * call makes a new state.
   */
  leave(state: KVState<unknown>): void;
  /**
   * Removes a key. Its state is `"removed"` at once and keeps its value until that is stored; then
   * `data` is `undefined`. A later call makes a new state. @throws {KvError} KV_INVALID_KEY.
   */
  remove(key: string): void;
  /**
   * Writes pending changes, and resolves when the store is open and all are stored. @throws
   * {KvError} the reason when it could not be opened, or a write was refused.
   */
  ready(): Promise<true>;
  /** Writes pending changes. Resolves when they are stored or rejected, which `status` shows. */
  flush(): Promise<unknown>;
  /** The rows under the states. */
  store(): KVStore;
  /**
   * Has a function called after changes of a state, from here or elsewhere, of any depth, and of
   * its status, until the function that is returned is called. Many changes at once are one call,
   * at the end of the current turn.
   */
  subscribe(state: KVState<unknown>, listener: () => void, options?: SubscribeOptions): () => void;
  /**
   * A state as it is now: a plain copy, the same object until something changes, in which all that
   * has not changed is the same too. Not to be changed.
   */
  snapshot<T>(state: KVState<T>): Readonly<KVState<T>>;
}

/** Options of {@link createKVStore}. */
export interface KVStoreOptions<T = Storable> {
  /**
   * Keeps the values in this store, under keys that begin with the name (which has no colon) and a
   * colon, instead of IndexedDB.
   */
  readonly store?: Store<never> | Store | Store<unknown>;
  /** The version of the IndexedDB database. Default 1. */
  readonly version?: number;
  /** The name of the IndexedDB database. Default: the name and `.kv`. */
  readonly dbName?: string;
  /** The initial values of a store that was never filled. */
  readonly seeds?: readonly KVSeed<T>[];
  /**
   * How long a change waits for others, to be written together with them: seconds up to 10, or a
   * string such as `"250ms"`. Default 0.1.
   */
  readonly delay?: number | string;
  /**
   * How often to look for changes by other processes in `store`, while states are used: seconds up
   * to 60, or a string such as `"500ms"`. A state also looks once when it is made; `Infinity` means
   * only then, 0 means never. Default 1.
   */
  readonly interval?: number | string;
}
