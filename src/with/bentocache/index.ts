import type { Store } from "../../api.ts";
import { take } from "../../atomic/update.ts";
import { createCacheLike } from "../../cache-like/cache-like.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link bentocacheDriver}. */
export interface BentocacheOptions {
  /** A literal text before all keys, before the prefix of bentocache. Default `""`. */
  prefix?: string | undefined;
}

/** A driver of bentocache for its second layer. */
export interface BentocacheDriver {
  readonly type: "l2";
  namespace(name: string): BentocacheDriver;
  get(key: string): Promise<string | undefined>;
  /** Reads a text and deletes it: of concurrent calls one gets it, unless `atomic` is `"no"`. */
  pull(key: string): Promise<string | undefined>;
  /** Writes a text. `ttl` is in milliseconds. */
  set(key: string, value: string, ttl?: number): Promise<true>;
  clear(): Promise<void>;
  delete(key: string): Promise<boolean>;
  deleteMany(keys: string[]): Promise<true>;
  disconnect(): Promise<void>;
  prune(): Promise<void>;
}

/** The argument of bentocache's `useL2Layer`. */
export interface BentocacheLayer {
  readonly options: BentocacheOptions;
  factory(config: { prefix?: string }): BentocacheDriver;
}

/** The driver of the keys under the prefix of a store. */
function driverOf(store: Store): BentocacheDriver {
  const cache = createCacheLike(store, { unit: "ms", missing: undefined });
  return {
    type: "l2",
    namespace: (name) => driverOf(store.prefix(`${name}:`)),
    get: (key) => cache.get(key),
    async pull(key) {
      const value = await cache.get<string>(key);
      if (value === undefined || store.supports.atomic === "no") {
        await store.del(key);
        return value;
      }
      return ((await take(store, key)) as string | null) ?? undefined;
    },
    async set(key, value, ttl) {
      await cache.set(key, value, ttl);
      return true;
    },
    clear: () => cache.clear(),
    delete: (key) => cache.delete(key),
    async deleteMany(keys) {
      await store.delMany(keys);
      return true;
    },
    disconnect: () => store.close(),
    async prune() {
      await store.prune();
    },
  };
}

/**
 * A driver for bentocache: pass it to `useL2Layer`.
 *
 * Lifetimes are exact to the millisecond. A failing store rejects, and bentocache decides by
 * `suppressL2Errors`. `disconnect()` closes the store.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import { BentoCache, bentostore } from "bentocache";
 * import kv from "anykv";
 * import { bentocacheDriver } from "anykv/with/bentocache";
 *
 * const layer = bentocacheDriver(kv(new Map()));
 * const main = bentostore().useL2Layer(layer);
 * const cache = new BentoCache({ default: "main", stores: { main } });
 * console.log(await cache.getOrSet({ key: "a", ttl: "1m", factory: () => 5 })); // 5
 * await cache.disconnect();
 */
export function bentocacheDriver(store: Store, options: BentocacheOptions = {}): BentocacheLayer {
  checkOptions(options, ["prefix"], "bentocacheDriver()");
  requireStore(store, "bentocacheDriver()");
  const base = store.prefix(options.prefix);
  return {
    options,
    factory: ({ prefix }) => driverOf(prefix ? base.prefix(`${prefix}:`) : base),
  };
}
