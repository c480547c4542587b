import type { Store } from "../api.ts";
import { remove } from "../atomic/update.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { requireStore } from "../store/require-store.ts";

/**
 * The meaning of a lifetime: `"s"` and `"ms"` from now on, `"at"` milliseconds since 1970.
 */
export type LifetimeUnit = "s" | "ms" | "at";

/** Options of {@link createCacheLike}. */
export interface CacheLikeOptions<M> {
  /** The unit of the lifetimes that the framework passes. */
  unit: LifetimeUnit;
  /** The value that stands for an absent key: `undefined` or `null`. */
  missing: M;
}

/** A key, a value and its lifetime. */
export type CacheLikeEntry = readonly [
  key: string,
  value: unknown,
  lifetime?: number | null | undefined,
];

/** A store with the methods of a cache. */
export interface CacheLike<M extends null | undefined> {
  /** Reads a value; `missing` when the key is absent or expired. */
  get<T = unknown>(key: string): Promise<T | M>;
  /**
   * Writes a value. Without a lifetime the expiry of the store applies. A lifetime that has passed
   * deletes.
   */
  set(key: string, value: unknown, lifetime?: number | null): Promise<void>;
  /** Deletes a key. Resolves to whether it existed. */
  delete(key: string): Promise<boolean>;
  /** Deletes all keys under the prefix of the store. */
  clear(): Promise<void>;
  has(key: string): Promise<boolean>;
  /** Reads many values, in order. */
  getMany<T = unknown>(keys: readonly string[]): Promise<(T | M)[]>;
  /** Writes many values, each with its own lifetime. */
  setMany(entries: readonly CacheLikeEntry[]): Promise<void>;
  /** Deletes many keys. Resolves to whether each existed. */
  deleteMany(keys: readonly string[]): Promise<boolean[]>;
  /** All present keys and values, in pages. */
  entries<T = unknown>(): AsyncGenerator<[key: string, value: T], void>;
}

const MS = { s: 1000, ms: 1, at: 1 };

/**
 * Deletes a key and resolves to whether it existed. Of two concurrent calls one resolves to `true`,
 * where the client has compare-and-set.
 */
async function wasDeleted(store: Store, key: string): Promise<boolean> {
  const was = await store.has(key);
  if (was && store.supports.atomic !== "no") return remove(store, key);
  await store.del(key);
  return was;
}

/**
 * A store with the methods that caches share, for authors of integrations. Lifetimes and absent
 * values differ between frameworks, so that both are options.
 *
 * A lifetime of `Infinity` never ends. The store decides whether a value has expired, to the
 * millisecond. A rejected operation rejects with the error of the store.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options. A lifetime that is no number rejects with KV_INVALID_EXPIRES.
 * @example
 * import kv from "anykv";
 * import { createCacheLike } from "anykv/cache-like";
 *
 * const cache = createCacheLike(kv(new Map()).prefix("cache:"), { unit: "s", missing: undefined });
 * await cache.set("a", { n: 1 }, 60);
 * console.log(await cache.get("a")); // { n: 1 }
 * console.log((await cache.get("b")) === undefined); // true
 * console.log(await cache.delete("a"), await cache.delete("a")); // true false
 */
export function createCacheLike<M extends null | undefined>(
  store: Store,
  options: CacheLikeOptions<M>,
): CacheLike<M> {
  requireStore(store, "createCacheLike()");
  checkOptions(options, ["unit", "missing"], "createCacheLike()");
  const { unit, missing } = options;
  if (!Object.hasOwn(MS, unit))
    throw new KvError("KV_INVALID_VALUE", 'the unit of createCacheLike() is "s", "ms" or "at"');
  const until = (lifetime: number | null | undefined): { expires?: Date | null } => {
    if (lifetime === undefined || lifetime === null) return {};
    if (typeof lifetime !== "number" || Number.isNaN(lifetime))
      throw new KvError("KV_INVALID_EXPIRES", "a lifetime is a number");
    if (lifetime === Infinity) return { expires: null };
    const now = unit === "at" ? 0 : Date.now();
    // A moment long ago deletes, as a negative lifetime does.
    return { expires: new Date(Math.max(0, now + lifetime * MS[unit])) };
  };
  return {
    async get<T>(key: string) {
      return ((await store.get(key)) as T | null) ?? missing;
    },
    async set(key, value, lifetime) {
      await store.set(key, value, until(lifetime));
    },
    delete: (key) => wasDeleted(store, key),
    clear: () => store.clear(),
    has: (key) => store.has(key),
    async getMany<T>(keys: readonly string[]) {
      return ((await store.getMany(keys)) as (T | null)[]).map((value) => value ?? missing);
    },
    async setMany(entries) {
      await store.setMany(entries.map(([key, value, lifetime]) => [key, value, until(lifetime)]));
    },
    deleteMany: (keys) => Promise.all(keys.map((key) => wasDeleted(store, key))),
    async *entries<T>() {
      yield* store as AsyncIterable<[string, T]>;
    },
  };
}
