import type { Store } from "../../api.ts";
import { type CacheLike, createCacheLike } from "../../cache-like/cache-like.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link keyvStore} and {@link keyv5Store}. */
export interface KeyvStoreOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** The methods that both majors of Keyv call. */
interface KeyvMethods {
  /** Keyv sets it. */
  namespace?: string | undefined;
  get<T>(key: string): Promise<T | undefined>;
  getMany<T>(keys: string[]): Promise<(T | undefined)[]>;
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  has(key: string): Promise<boolean>;
  hasMany(keys: string[]): Promise<boolean[]>;
  disconnect(): Promise<void>;
  /** Does nothing: operations reject, and Keyv emits `error` itself. */
  on(event: string, listener: (...args: never[]) => unknown): unknown;
}

/** A storage adapter of Keyv 6. */
export interface KeyvStore extends KeyvMethods {
  readonly capabilities: { readonly expires: true };
  set(key: string, value: unknown, expires?: number): Promise<boolean>;
  setMany(entries: { key: string; value: unknown; expires?: number }[]): Promise<boolean[]>;
  deleteMany(keys: string[]): Promise<boolean[]>;
  iterator<T>(): AsyncGenerator<[key: string, value: T], void>;
}

/** A storage adapter of Keyv 5. */
export interface Keyv5Store extends KeyvMethods {
  readonly opts: { readonly dialect: string; readonly url: string };
  set(key: string, value: unknown, ttl?: number): Promise<boolean>;
  setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<void>;
  deleteMany(keys: string[]): Promise<boolean>;
  iterator<T>(namespace?: string): AsyncGenerator<[key: string, value: T], void>;
}

// Milliseconds since 1970: March 1973. A smaller number is a duration.
const FIRST_MOMENT = 1e11;

function checkMoment(expires: number | undefined): void {
  if (expires !== undefined && expires < FIRST_MOMENT)
    throw new KvError("KV_INVALID_EXPIRES", "keyvStore() is for Keyv 6: use keyv5Store()");
}

/** The store under the prefix of the options. */
function prefixed(store: Store, options: KeyvStoreOptions, where: string): Store {
  checkOptions(options, ["prefix"], where);
  requireStore(store, where);
  return store.prefix(options.prefix);
}

/** The methods that both majors have, over the caches that `cacheOf` finds. */
function methodsOf(store: Store, cacheOf: () => CacheLike<undefined>): KeyvMethods {
  return {
    namespace: undefined,
    get: async (key) => cacheOf().get(key),
    getMany: async (keys) => cacheOf().getMany(keys),
    delete: async (key) => cacheOf().delete(key),
    clear: async () => cacheOf().clear(),
    has: async (key) => cacheOf().has(key),
    hasMany: async (keys) => {
      const cache = cacheOf();
      return Promise.all(keys.map((key) => cache.has(key)));
    },
    disconnect: () => store.close(),
    on: () => undefined,
  };
}

/**
 * A storage adapter for Keyv 6, and so for cacheable, cache-manager and everything else that takes
 * a Keyv. Make one for each Keyv: Keyv sets its namespace.
 *
 * Namespaces never see each other's keys. A value is absent from the millisecond of its deadline.
 * A failing store rejects, and Keyv emits `error`. `disconnect()` closes the store.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { keyvStore } from "anykv/with/keyv";
 * import { Keyv } from "keyv";
 *
 * const keyv = new Keyv({ store: keyvStore(kv(new Map())), namespace: "users" });
 * await keyv.set("ann", { age: 5 }, 60_000);
 * console.log(await keyv.get("ann")); // { age: 5 }
 */
export function keyvStore(store: Store, options: KeyvStoreOptions = {}): KeyvStore {
  const base = prefixed(store, options, "keyvStore()");
  // The escaped name ends at the colon, so that no namespace contains another.
  const cacheOf = (): CacheLike<undefined> =>
    createCacheLike(base.prefix(`${encodeURIComponent(adapter.namespace ?? "")}:`), {
      unit: "at",
      missing: undefined,
    });
  const adapter: KeyvStore = {
    ...methodsOf(base, cacheOf),
    capabilities: { expires: true },
    async set(key, value, expires) {
      checkMoment(expires);
      await cacheOf().set(key, value, expires);
      return true;
    },
    async setMany(entries) {
      for (const { expires } of entries) checkMoment(expires);
      await cacheOf().setMany(entries.map(({ key, value, expires }) => [key, value, expires]));
      return entries.map(() => true);
    },
    deleteMany: async (keys) => cacheOf().deleteMany(keys),
    iterator: () => cacheOf().entries(),
  };
  return adapter;
}

/**
 * A storage adapter for Keyv 5. Keyv 5 puts the namespace before the keys itself. The rest is as in
 * {@link keyvStore}.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { keyv5Store } from "anykv/with/keyv";
 *
 * const adapter = keyv5Store(kv(new Map()), { prefix: "keyv:" });
 * await adapter.set("ann", "a value", 60_000);
 * console.log(await adapter.get("ann")); // "a value"
 */
export function keyv5Store(store: Store, options: KeyvStoreOptions = {}): Keyv5Store {
  const base = prefixed(store, options, "keyv5Store()");
  const cacheAt = (prefix: string): CacheLike<undefined> =>
    createCacheLike(base.prefix(prefix), { unit: "ms", missing: undefined });
  const all = cacheAt("");
  const textOf = (namespace: string | undefined): string => (namespace ? `${namespace}:` : "");
  const adapter: Keyv5Store = {
    ...methodsOf(base, () => all),
    // Keyv 5 iterates over the dialects that it knows, and over no other.
    opts: { dialect: "redis", url: "" },
    clear: () => cacheAt(textOf(adapter.namespace)).clear(),
    async set(key, value, ttl) {
      await all.set(key, value, ttl);
      return true;
    },
    setMany: (entries) => all.setMany(entries.map(({ key, value, ttl }) => [key, value, ttl])),
    deleteMany: async (keys) => (await all.deleteMany(keys)).some(Boolean),
    async *iterator<T>(namespace?: string) {
      const prefix = textOf(namespace);
      for await (const [key, value] of cacheAt(prefix).entries<T>()) yield [prefix + key, value];
    },
  };
  return adapter;
}
