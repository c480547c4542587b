import { kv, type KVFn, type KVState } from "./index.ts";

/** A writable store of Svelte. */
export interface KVWritable<T> {
  subscribe(run: (value: T) => void): () => void;
  set(value: T): void;
  update(change: (value: T) => T): void;
  /** The state with `status` and `error`, as a readable store. */
  readonly state: { subscribe(run: (state: KVState<T>) => void): () => void };
}

/**
 * The value of a key as a store of Svelte: `$notes` in a component, which can be changed
 * (`$notes.title = "x"`) or replaced. It follows changes from whatever tab; the state is given back
 * when the last subscriber goes. On a server it is `init`, and nothing is kept.
 *
 * @param store a function of `createKVStore()`. Default: `kv` of `anykv/reactive`.
 * @throws {KvError} KV_INVALID_KEY for a key that is no well-formed, non-empty string, when it is
 * subscribed to.
 * @example
 * ```js browser
 * import { useKV } from "anykv/reactive/svelte";
 *
 * const counter = useKV("visits", { n: 0 });
 * const end = counter.subscribe(({ n }) => console.log(n)); // 0
 * counter.update(({ n }) => ({ n: n + 1 }));
 * end();
 * ```
 */
export function useKV<T>(key: string, init: T, store: KVFn = kv): KVWritable<T> {
  const isServer = typeof document === "undefined";
  // The shown object is the changed one, also when its key was removed.
  let shown: KVState<T> | undefined;
  const peek = (): KVState<T> =>
    isServer ? { data: init, status: "init" } : (shown ?? store.peek(key, init));

  function follow(run: (state: KVState<T>) => void): () => void {
    if (isServer) {
      run(peek());
      return () => {};
    }
    const state = (shown = store(key, init));
    const end = store.subscribe(state, () => run(state));
    run(state);
    return () => {
      end();
      shown = undefined;
      store.leave(state);
    };
  }

  const set = (value: T): void => void (peek().data = value);
  return {
    subscribe: (run) => follow(({ data }) => run(data)),
    set,
    update: (change) => set(change(peek().data)),
    state: { subscribe: follow },
  };
}
