// A missing named import would be a syntax error of the engine, which does not name the version.
import * as Vue from "vue";
import { requireVersion } from "../platform/require-version.ts";
import { kv, type KVFn, type KVState } from "./index.ts";

// Before 3.5, components do not follow the states, which belong to @vue/reactivity 3.5.
requireVersion("anykv/reactive/vue", "vue", "3.5", Vue.version);

/** A ref of the value of a key. */
export type KVRef<T> = Vue.Ref<T> & {
  /** The state, with `status` and `error`. */
  readonly state: KVState<T>;
};

/**
 * The value of a key as a ref, which can be changed at any depth or replaced. It follows changes
 * from whatever tab, and gives the state back when the component (or effect scope) goes. On a
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
 *     const onClick = () => counter.value.n++;
 *     const disabled = () => counter.state.status === "init";
 *     return () => h("button", { disabled: disabled(), onClick }, counter.value.n);
 *   },
 * };
 * ```
 */
export function useKV<T>(key: string, init: T, store: KVFn = kv): KVRef<T> {
  const isServer = typeof document === "undefined";
  const state = isServer
    ? (Vue.reactive({ data: structuredClone(init), status: "init" }) as KVState<T>)
    : store(key, init);
  if (!isServer) Vue.onScopeDispose(() => store.leave(state));
  return Object.assign(Vue.toRef(state, "data") as Vue.Ref<T>, { state });
}
