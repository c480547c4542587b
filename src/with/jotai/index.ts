import type { Store } from "../../api.ts";
import { type StateStorageOptions, stateStorage } from "../shared/state-storage.ts";

export type { StateStorageOptions };

/** The storage of jotai's `atomWithStorage`. */
export interface JotaiStorage<V> {
  getItem(key: string, initialValue: V): Promise<V>;
  setItem(key: string, value: V): Promise<void>;
  removeItem(key: string): Promise<void>;
  /** Calls back when another tab or process changes the item. Returns a function that ends it. */
  subscribe(key: string, callback: (value: V) => void, initialValue: V): () => void;
}

/**
 * A storage for the `atomWithStorage` of jotai. Atoms follow the changes of other tabs and
 * processes.
 *
 * Jotai does not await writes: their errors go to `onError`, and so do those of a subscription. A
 * failing read rejects the promise in the atom.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 * @example
 * import kv from "anykv";
 * import { jotaiStorage } from "anykv/with/jotai";
 * import { createStore } from "jotai/vanilla";
 * import { atomWithStorage } from "jotai/vanilla/utils";
 *
 * const storage = jotaiStorage(kv(new Map()), { prefix: "state:" });
 * const themeAtom = atomWithStorage("theme", "light", storage);
 * await createStore().set(themeAtom, "dark");
 * console.log(await storage.getItem("theme", "light")); // dark
 */
export function jotaiStorage<V>(store: Store, options: StateStorageOptions = {}): JotaiStorage<V> {
  const { prefix, onError = console.error } = options;
  const storage = stateStorage(store, options, "jotaiStorage()");
  const items = store.prefix(prefix);
  return {
    getItem: async (key, initialValue) => (await storage.getItem<V>(key)) ?? initialValue,
    setItem: (key, value) => storage.setItem(key, value),
    removeItem: (key) => storage.removeItem(key),
    subscribe(key, callback, initialValue) {
      const watch = items.watch(key);
      const follow = async (): Promise<void> => {
        for await (const { entry } of watch)
          callback(entry === null ? initialValue : (entry.value as V));
      };
      follow().catch(onError);
      return () => void watch.close().catch(onError);
    },
  };
}
