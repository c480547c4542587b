import type { Loader } from "./loader.ts";
import type { ManyLoader } from "./many.ts";
import type { KeepOptions, LoadOptions } from "./options.ts";
import type { CacheStats } from "./stats.ts";
import type { WrapOptions } from "./wrap.ts";

/**
 * Values that are loaded when they are missing. Methods work detached.
 *
 * Every method but `wrap()` and `stats()` returns a promise, and rejects with KV_INVALID_KEY and
 * KV_TOO_LARGE for keys, with KV_INVALID_VALUE and KV_INVALID_EXPIRES for options, and with
 * KV_CLOSED after `close()`. Nothing is written then.
 */
export interface Cache {
  /**
   * Reads a value, or loads and stores it. Callers of one key share one load: in this process
   * always, and in all processes where `supports.atomic` of the store is `"yes"`.
   *
   * A stale value is served at once while it is loaded again (`grace`, `timeout`). If the loader
   * fails, a stale value is served and the error goes to `onError`. If the store fails, the loader
   * answers (`onStoreError`). A value that the store rejects is returned, and `onError` gets the
   * error.
   *
   * @throws the error of the loader, if there is no stale value; KV_TIMEOUT after `hardTimeout`;
   * KV_NOT_SUPPORTED for `tags` where `supports.atomic` is `"no"`.
   * @example
   * import { createCache } from "anykv/cache";
   *
   * const cache = createCache(new Map(), { ttl: "1m" });
   * const load = async ({ setOptions }) => {
   *   setOptions({ tags: ["users"] });
   *   return { name: "Ann" };
   * };
   * const [one, two] = await Promise.all([1, 2].map(() => cache.getOrSet("user:ann", load)));
   * console.log(one, two, cache.stats().loads); // {"name":"Ann"} {"name":"Ann"} 1
   */
  getOrSet<T>(key: string, loader: Loader<T>, options?: LoadOptions): Promise<T>;

  /**
   * Reads values, and loads those that are missing by one call of the loader. Resolves to them in
   * the order of the keys.
   *
   * @param loader gets the keys that are missing, and returns a list with a value for each.
   * @throws as `getOrSet()`.
   * @example
   * import { createCache } from "anykv/cache";
   *
   * const cache = createCache(new Map(), { ttl: "1m" });
   * await cache.set("b", "B");
   * const load = async (keys) => keys.map((key) => key.toUpperCase());
   * console.log(await cache.getOrSetMany(["a", "b", "c"], load)); // ["A", "B", "C"]
   */
  getOrSetMany<T>(
    keys: Iterable<string>,
    loader: ManyLoader<T>,
    options?: LoadOptions,
  ): Promise<T[]>;

  /** Reads a fresh value; `null` when there is none. */
  get<T = unknown>(key: string): Promise<T | null>;
  /** Whether there is a fresh value, `null` and `undefined` included. */
  has(key: string): Promise<boolean>;

  /**
   * Stores a value. A load that is under way does not overwrite it. `null` and `undefined` delete
   * unless `nullTtl` is set.
   *
   * @throws as the store; the old value is still there then.
   */
  set(key: string, value: unknown, options?: KeepOptions): Promise<string>;

  /** Deletes a value. The result of a load that is under way is not stored. */
  del(key: string): Promise<string>;

  /**
   * Makes a value stale: it may be served for its `grace` while it is loaded again. Without a grace
   * it is deleted. Resolves to whether there was a value.
   */
  expire(key: string): Promise<boolean>;

  /**
   * Makes all values with any of these tags stale, also those that are being loaded.
   *
   * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`.
   * @example
   * import { createCache } from "anykv/cache";
   *
   * const cache = createCache(new Map(), { ttl: "1m" });
   * await cache.set("user:1", "Ann", { tags: ["users"] });
   * await cache.expireTags(["users"]);
   * console.log(await cache.get("user:1")); // null
   */
  expireTags(tags: readonly string[]): Promise<void>;
  /** The same, and no `grace` applies. */
  delTags(tags: readonly string[]): Promise<void>;

  /**
   * A function with cached results.
   *
   * @throws {KvError} at once, for options that cannot be used.
   * @example
   * import { createCache } from "anykv/cache";
   *
   * const cache = createCache(new Map(), { ttl: "1m" });
   * const square = cache.wrap(async (n) => n * n, { key: (n) => `square:${n}` });
   * console.log(await square(3), await cache.get("square:3")); // 9 9
   */
  wrap<A extends readonly unknown[], T>(
    fn: (...args: A) => T | Promise<T>,
    options: WrapOptions<A>,
  ): (...args: A) => Promise<T>;

  /** Deletes all values and tags of the cache. */
  clear(): Promise<void>;
  /**
   * Ends all loads and gives their leases back. Closes the store too, if the cache was made of a
   * client; a store that was passed stays open.
   */
  close(): Promise<void>;
  /** Counters of the cache. They only grow, except those of the first tier. */
  stats(): CacheStats;
}
