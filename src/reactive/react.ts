// A missing named import would be a syntax error of the engine, which does not name the version.
import * as React from "react";
import { requireVersion } from "../platform/require-version.ts";
import { kv, type KVFn, type KVState } from "./index.ts";

requireVersion("anykv/reactive/react", "react", "18", React.version);

/** The share of one component in a key. */
function handleOf<T>(store: KVFn, key: string, init: T) {
  const first: Readonly<KVState<T>> = { data: init, status: "init" };
  let state: KVState<T> | undefined;
  const current = (): KVState<T> => (state ??= store.peek(key, init));
  return {
    /**
     * The state to change; while the server renders, and until its page has come to life, nothing
     * that is kept.
     */
    stateOf: (view: Readonly<KVState<T>>): KVState<T> => (view === first ? first : current()),
    first: () => first,
    view: () => store.snapshot(current()),
    subscribe(listener: () => void): () => void {
      const used = (state = store(key, init));
      // Within the change: Later, React would first reset a typed text of an input, and move the
      // caret to the end.
      const end = store.subscribe(used, listener, { sync: true });
      return () => {
        end();
        store.leave(used);
      };
    },
  };
}

/**
 * The state of a key in a React component: a snapshot to be shown, and the state itself, to be
 * changed. The component is rendered again after each change, from whatever tab, and gives the
 * state back when it goes. On a server it is `init`.
 *
 * @param init the value where nothing is stored; that of the first call for a key counts.
 * @param store a function of `createKVStore()`. Default: `kv` of `anykv/reactive`.
 * @throws {KvError} KV_INVALID_KEY for a key that is no well-formed, non-empty string.
 * @example
 * ```js browser
 * import { createElement } from "react";
 * import { useKV } from "anykv/reactive/react";
 *
 * function Counter() {
 *   const [{ data, status }, counter] = useKV("counter", { n: 0 });
 *   const onClick = () => counter.data.n++;
 *   return createElement("button", { disabled: status === "init", onClick }, data.n);
 * }
 * ```
 */
export function useKV<T>(
  key: string,
  init: T,
  store: KVFn = kv,
): readonly [Readonly<KVState<T>>, KVState<T>] {
  const handle = React.useMemo(() => handleOf(store, key, init), [store, key]);
  const view = React.useSyncExternalStore(handle.subscribe, handle.view, handle.first);
  return [view, handle.stateOf(view)];
}
