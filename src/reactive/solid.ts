import { onCleanup } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { kv, type KVFn, type KVState } from "./index.ts";

/**
 * The state of a key in a Solid component: a store of Solid to be shown, of which only changed
 * parts are rendered again, and the state itself, to be changed. It follows changes from whatever
 * tab, and gives the state back when the component (or root) goes. On a server it is `init`, and
 * nothing is kept.
 *
 * @param store a function of `createKVStore()`. Default: `kv` of `anykv/reactive`.
 * @throws {KvError} KV_INVALID_KEY for a key that is no well-formed, non-empty string.
 * @example
 * ```js browser
 * import { createRoot } from "solid-js";
 * import { useKV } from "anykv/reactive/solid";
 *
 * createRoot(() => {
 *   const [view, score] = useKV("score", { n: 0 });
 *   console.log(view.data.n); // 0
 *   score.data.n++; // whatever shows view.data.n is rendered again
 * });
 * ```
 */
export function useKV<T>(
  key: string,
  init: T,
  store: KVFn = kv,
): readonly [Readonly<KVState<T>>, KVState<T>] {
  if (typeof document === "undefined") {
    const first: KVState<T> = { data: structuredClone(init), status: "init" };
    return [first, first];
  }
  const state = store(key, init);
  // Solid changes its argument.
  const copy = (): KVState<T> => {
    const { data, ...rest } = store.snapshot(state);
    return { data: structuredClone(data), ...rest };
  };
  const [view, change] = createStore(copy());
  const end = store.subscribe(state, () => change(reconcile(copy())));
  onCleanup(() => {
    end();
    store.leave(state);
  });
  return [view, state];
}
