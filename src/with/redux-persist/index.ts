import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";
import { createWebStorageLike } from "../../web-storage-like/index.ts";

/** Options of {@link reduxPersistStorage}. */
export interface ReduxPersistOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** The `storage` of redux-persist. */
export interface ReduxPersistStorage {
  getItem(key: string): Promise<unknown>;
  setItem(key: string, value: unknown): Promise<void>;
  removeItem(key: string): Promise<void>;
}

/**
 * A `storage` for redux-persist. A failing write reaches its `writeFailHandler`, and a failing read
 * the `err` of its `REHYDRATE` action.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { reduxPersistStorage } from "anykv/with/redux-persist";
 *
 * const storage = reduxPersistStorage(kv(new Map()), { prefix: "redux:" });
 * const config = { key: "root", storage };
 * console.log(config.key); // root
 */
export function reduxPersistStorage(
  store: Store,
  options: ReduxPersistOptions = {},
): ReduxPersistStorage {
  checkOptions(options, ["prefix"], "reduxPersistStorage()");
  requireStore(store, "reduxPersistStorage()");
  const { getItem, setItem, removeItem } = createWebStorageLike(store.prefix(options.prefix));
  return { getItem, setItem, removeItem };
}
