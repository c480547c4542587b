import type { Store } from "../../api.ts";
import { createCacheLike } from "../../cache-like/cache-like.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link unstorageDriver}. */
export interface UnstorageDriverOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** Options that unstorage passes to a write. */
interface UnstorageWriteOptions {
  /** The lifetime in seconds. */
  readonly ttl?: number | undefined;
}

/** An item that unstorage writes together with others. */
interface UnstorageItem {
  readonly key: string;
  readonly value: string;
  readonly options?: UnstorageWriteOptions | undefined;
}

/** A driver of unstorage. */
export interface UnstorageDriver {
  readonly name: "anykv";
  readonly options: UnstorageDriverOptions;
  getInstance(): Store;
  hasItem(key: string): Promise<boolean>;
  getItem(key: string): Promise<string | null>;
  getItems(items: { key: string }[]): Promise<{ key: string; value: string | null }[]>;
  setItem(key: string, value: string, options?: UnstorageWriteOptions): Promise<void>;
  setItems(items: UnstorageItem[], common?: UnstorageWriteOptions): Promise<void>;
  removeItem(key: string): Promise<void>;
  /** The time to live in seconds, where there is one. */
  getMeta(key: string): Promise<{ ttl?: number } | null>;
  getKeys(base?: string): Promise<string[]>;
  clear(base?: string): Promise<void>;
  dispose(): Promise<void>;
  watch(callback: (event: "update" | "remove", key: string) => void): Promise<() => Promise<void>>;
}

/**
 * A driver for unstorage, and so for the storage of Nitro and Nuxt.
 *
 * The `ttl` of unstorage works on every client. A watch reports the changes of other processes too.
 * A failing store rejects. `dispose()` closes the store.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { unstorageDriver } from "anykv/with/unstorage";
 * import { createStorage } from "unstorage";
 *
 * const storage = createStorage({ driver: unstorageDriver(kv(new Map()), { prefix: "app:" }) });
 * await storage.setItem("users:ann", { age: 5 }, { ttl: 60 });
 * console.log(await storage.getItem("users:ann")); // { age: 5 }
 * console.log(await storage.getKeys("users")); // ["users:ann"]
 */
export function unstorageDriver(
  store: Store,
  options: UnstorageDriverOptions = {},
): UnstorageDriver {
  checkOptions(options, ["prefix"], "unstorageDriver()");
  requireStore(store, "unstorageDriver()");
  const base = store.prefix(options.prefix);
  const cache = createCacheLike(base, { unit: "s", missing: null });
  return {
    name: "anykv",
    options,
    getInstance: () => store,
    hasItem: (key) => cache.has(key),
    getItem: (key) => cache.get(key),
    async getItems(items) {
      const values = await cache.getMany<string>(items.map(({ key }) => key));
      return items.map(({ key }, index) => ({ key, value: values[index]! }));
    },
    setItem: (key, value, given) => cache.set(key, value, lifetimeOf(given)),
    setItems: (items, common) =>
      cache.setMany(
        items.map(({ key, value, options }) => [key, value, lifetimeOf(options ?? common)]),
      ),
    async removeItem(key) {
      await base.del(key);
    },
    async getMeta(key) {
      const entry = await base.entry(key);
      if (entry === null) return null;
      return entry.expires === null ? {} : { ttl: (entry.expires - Date.now()) / 1000 };
    },
    async getKeys(within = "") {
      return (await base.prefix(within).keys()).map((key) => within + key);
    },
    clear: (within) => base.prefix(within).clear(),
    dispose: () => store.close(),
    async watch(callback) {
      const watch = base.watch({ prefix: "" });
      await watch.ready;
      void report(watch, callback);
      return () => watch.close();
    },
  };
}

/** The drivers of unstorage take a `ttl` of 0 for none. */
const lifetimeOf = (given: UnstorageWriteOptions | undefined): number | undefined =>
  given?.ttl === 0 ? undefined : given?.ttl;

/** Calls back for every change until the watch ends. */
async function report(
  watch: ReturnType<Store["watch"]>,
  callback: (event: "update" | "remove", key: string) => void,
): Promise<void> {
  try {
    for await (const { key, entry } of watch) {
      try {
        callback(entry === null ? "remove" : "update", key);
      } catch (error) {
        // The other listeners go on.
        console.error(error);
      }
    }
  } catch (error) {
    // unstorage has no event for it. A closed store ends its watches without an error.
    console.error(error);
  }
}
