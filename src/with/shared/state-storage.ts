import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";
import { createWebStorageLike, type WebStorageLike } from "../../web-storage-like/index.ts";

/** Options of the storages of state libraries. */
export interface StateStorageOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
  /** Gets the errors of writes, which the library does not await. Default `console.error`. */
  onError?: ((error: unknown) => void) | undefined;
}

/**
 * A storage for a library that does not await writes.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 */
export function stateStorage(
  store: Store,
  options: StateStorageOptions,
  where: string,
): WebStorageLike {
  checkOptions(options, ["prefix", "onError"], where);
  requireStore(store, where);
  const { prefix, onError = console.error } = options;
  return createWebStorageLike(store.prefix(prefix), { onError });
}
