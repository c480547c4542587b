import type { Store } from "../../api.ts";
import { type StateStorageOptions, stateStorage } from "../shared/state-storage.ts";

export type { StateStorageOptions };

/** The `storage` of TanStack Query's `experimental_createQueryPersister`. */
export interface TanstackQueryStorage<V> {
  getItem(key: string): Promise<V | null>;
  setItem(key: string, value: V): Promise<void>;
  removeItem(key: string): Promise<void>;
  entries(): Promise<[key: string, value: V][]>;
}

/**
 * A `storage` for `experimental_createQueryPersister` of TanStack Query: one record for each query,
 * so that a query writes itself alone.
 *
 * Records are texts, unless the persister has its own `serialize` and `deserialize`. A failing read
 * makes the query fetch. TanStack Query does not await writes: their errors go to `onError`.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 * @example
 * import { experimental_createQueryPersister } from "@tanstack/query-persist-client-core";
 * import kv from "anykv";
 * import { tanstackQueryStorage } from "anykv/with/tanstack-query";
 *
 * const storage = tanstackQueryStorage(kv(new Map()).expires("1d"), { prefix: "query:" });
 * const { persisterFn } = experimental_createQueryPersister({ storage });
 * console.log(typeof persisterFn); // function
 */
export function tanstackQueryStorage<V = string>(
  store: Store,
  options: StateStorageOptions = {},
): TanstackQueryStorage<V> {
  const storage = stateStorage(store, options, "tanstackQueryStorage()");
  return {
    getItem: (key) => storage.getItem<V>(key),
    setItem: (key, value) => storage.setItem(key, value),
    removeItem: (key) => storage.removeItem(key),
    entries: () => storage.entries<V>(),
  };
}
