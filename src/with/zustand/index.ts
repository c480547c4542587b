import type { Store } from "../../api.ts";
import { type StateStorageOptions, stateStorage } from "../shared/state-storage.ts";

export type { StateStorageOptions };

/** The persisted value of zustand: the state and the `version` of its options. */
export interface ZustandValue<S> {
  state: S;
  version?: number;
}

/** The `storage` of zustand's `persist`. */
export interface ZustandStorage<S> {
  getItem(name: string): Promise<ZustandValue<S> | null>;
  setItem(name: string, value: ZustandValue<S>): Promise<void>;
  removeItem(name: string): Promise<void>;
}

/** The state without its actions. */
function withoutActions(state: unknown): unknown {
  if (typeof state !== "object" || state === null || Array.isArray(state)) return state;
  return Object.fromEntries(
    Object.entries(state).filter(([, value]) => typeof value !== "function"),
  );
}

/**
 * A `storage` for the `persist` of zustand. The state is stored as an object, without its actions.
 * Dates, Maps and Sets in it need the `rich` codec of `anykv/codec`.
 *
 * A failing read reaches `onRehydrateStorage`. zustand does not await writes: their errors go to
 * `onError`.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for wrong or
 * unknown options.
 * @example
 * import kv from "anykv";
 * import { zustandStorage } from "anykv/with/zustand";
 * import { persist } from "zustand/middleware";
 * import { createStore } from "zustand/vanilla";
 *
 * const storage = zustandStorage(kv(new Map()), { prefix: "state:" });
 * const bears = createStore(persist(() => ({ count: 0 }), { name: "bears", storage }));
 * bears.setState({ count: 5 });
 * console.log((await storage.getItem("bears")).state); // { count: 5 }
 */
export function zustandStorage<S>(
  store: Store,
  options: StateStorageOptions = {},
): ZustandStorage<S> {
  const storage = stateStorage(store, options, "zustandStorage()");
  return {
    getItem: (name) => storage.getItem<ZustandValue<S>>(name),
    setItem: (name, value) =>
      storage.setItem(name, { ...value, state: withoutActions(value.state) }),
    removeItem: (name) => storage.removeItem(name),
  };
}
