import type { Store } from "../../api.ts";
import { createCacheLike } from "../../cache-like/cache-like.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link apolloCache}. */
export interface ApolloCacheOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** A `KeyValueCache` of Apollo Server. */
export interface ApolloCache<V = string> {
  get(key: string): Promise<V | undefined>;
  /** Writes a value. `ttl` is in seconds. */
  set(key: string, value: V, options?: { ttl?: number | null }): Promise<void>;
  /** Deletes a key. Resolves to whether it existed. */
  delete(key: string): Promise<boolean>;
}

/**
 * A `KeyValueCache` for Apollo Server: the `cache` of the server, of its response cache, of
 * persisted queries and of data sources.
 *
 * A failing store rejects. Wrap the cache in Apollo's `ErrorsAreMissesCache` to go on without it.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import { ErrorsAreMissesCache } from "@apollo/utils.keyvaluecache";
 * import kv from "anykv";
 * import { apolloCache } from "anykv/with/apollo";
 *
 * const cache = new ErrorsAreMissesCache(apolloCache(kv(new Map()), { prefix: "apollo:" }));
 * await cache.set("a", "a text", { ttl: 60 });
 * console.log(await cache.get("a")); // a text
 */
export function apolloCache<V = string>(
  store: Store,
  options: ApolloCacheOptions = {},
): ApolloCache<V> {
  checkOptions(options, ["prefix"], "apolloCache()");
  requireStore(store, "apolloCache()");
  const base = store.prefix(options.prefix);
  const cache = createCacheLike(base, { unit: "s", missing: undefined });
  return {
    get: (key) => cache.get<V>(key),
    set: (key, value, given) => cache.set(key, value, given?.ttl),
    delete: (key) => cache.delete(key),
  };
}
