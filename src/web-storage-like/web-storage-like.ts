import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { requireStore } from "../store/require-store.ts";

/** Options of {@link createWebStorageLike}. */
export interface WebStorageLikeOptions {
  /**
   * Gets the errors of writes, which then resolve. Frameworks that do not await a write need it.
   * Default: writes reject.
   */
  onError?: ((error: unknown) => void) | undefined;
}

/** A store with the methods of Web Storage. They are asynchronous, and values are any JSON. */
export interface WebStorageLike {
  /** Reads an item; `null` when it is absent or expired. */
  getItem<T = unknown>(key: string): Promise<T | null>;
  setItem(key: string, value: unknown): Promise<void>;
  removeItem(key: string): Promise<void>;
  /** Removes all items under the prefix of the store. */
  clear(): Promise<void>;
  keys(): Promise<string[]>;
  entries<T = unknown>(): Promise<[key: string, value: T][]>;
}

/**
 * A store with the methods of Web Storage, for authors of integrations. Writes keep the order in
 * which they are called, also when nothing awaits them.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 * @example
 * import kv from "anykv";
 * import { createWebStorageLike } from "anykv/web-storage-like";
 *
 * const storage = createWebStorageLike(kv(new Map()).prefix("state:"), { onError: console.error });
 * await storage.setItem("theme", { dark: true });
 * console.log(await storage.getItem("theme")); // { dark: true }
 * console.log(await storage.keys()); // ["theme"]
 * await storage.removeItem("theme");
 */
export function createWebStorageLike(
  store: Store,
  options: WebStorageLikeOptions = {},
): WebStorageLike {
  requireStore(store, "createWebStorageLike()");
  checkOptions(options, ["onError"], "createWebStorageLike()");
  const { onError } = options;
  if (onError !== undefined && typeof onError !== "function")
    throw new KvError("KV_INVALID_VALUE", "onError is a function");
  const written = (write: Promise<unknown>): Promise<void> => write.then(() => undefined, onError);
  return {
    getItem: <T>(key: string) => store.get(key) as Promise<T | null>,
    setItem: (key, value) => written(store.set(key, value)),
    removeItem: (key) => written(store.del(key)),
    clear: () => written(store.clear()),
    keys: () => store.keys(),
    entries: <T>() => store.entries<T>(),
  };
}
