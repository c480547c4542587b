import { onScopeDispose, reactive, type Ref, toRef } from "vue";
import { kv, type KVFn, type KVState } from "./index.ts";

/** A ref of the value of a key. */
export type KVRef<T> = Ref<T> & {
  /** The state, with `status` and `error`. */
  readonly state: KVState<T>;
};

/**
 * The value of a key as a ref, which can be changed at any depth or replaced. It follows changes from whatever tab, and gives the state back when the component (or effect scope) goes. On a
 * server it is `init`, and nothing is kept.
 *
 * @param store a function of `createKVStore()`. Default: `kv` of `anykv/reactive`.
 * @throws {KvError} KV_INVALID_KEY for a key that is no well-formed, non-empty string.
 * @example
 * ```js browser
 * import { h } from "vue";
 * import { useKV } from "anykv/reactive/vue";
 *
 * const Counter = {
 *   setup() {
 *     const counter = useKV("counter", { n: 0 });
 *     return () => h("button", { disabled: counter.state.status === "init", onClick: () => counter.value.n++ }, counter.value.n);
 *   },
 * };
 * ```
 */
export function useKV<T>(key: string, init: T, store: KVFn = kv): KVRef<T> {
  const isServer = typeof document === "undefined";
  const state = isServer ? (reactive({ data: structuredClone(init), status: "init" }) as KVState<T>) : store(key, init);
  if (!isServer) onScopeDispose(() => store.leave(state));
  return Object.assign(toRef(state, "data") as Ref<T>, { state });
}
