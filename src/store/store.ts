import type { Codec, KvOptions, SetOptions, Store } from "../api.ts";
import { checkCodec, isMarked } from "./codec-mark.ts";
import type { Connection } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { deadline } from "../expires.ts";
import { LazyCalls, type Pairs } from "./lazy-calls.ts";
import { checkPrefix } from "../prefix.ts";
import { checkOptions } from "../platform/options.ts";
import { quickRead, quickWrite } from "./quick.ts";
import { timeoutOf } from "../concurrency/timeout-option.ts";
import { tracing } from "./tracer.ts";
import type { Expires } from "../types.ts";
import { watchLater } from "./watch-later.ts";

// Numbered: a store of another bundle is only taken apart where its parts are the same.
const CONTEXT: unique symbol = Symbol.for("anykv.store.1") as never;

const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** How a store is shown by `console.log()` and `String()`. */
interface Shown {
  readonly [Symbol.toStringTag]: string;
  readonly [INSPECT]: () => string;
}

/** The context of a store of this library (another bundle's too); `undefined` for anything else. */
export function contextOf(input: unknown): StoreContext | undefined {
  return typeof input === "object" && input !== null
    ? (input as { [CONTEXT]?: StoreContext })[CONTEXT]
    : undefined;
}

/** The context of a store over a connection, without any options. */
export const contextOver = (connection: Connection): StoreContext => ({
  connection,
  prefix: "",
  expires: null,
  codec: undefined,
  timeout: timeoutOf(undefined),
  tracer: tracing.tracer,
});

// `requires` is checked where the connection is made.
const KV_OPTIONS = ["prefix", "expires", "codec", "timeout", "requires"];

/**
 * A store whose prefix goes on behind the context's, and whose default expiry and codec replace the
 * context's.
 */
export function createStore<V>(context: StoreContext, options: KvOptions<V>): Store<V> {
  // A number may be the index that map() passes.
  if (typeof options !== "number") checkOptions(options, KV_OPTIONS, "kv()");
  const {
    prefix = "",
    expires = context.expires,
    codec = context.codec as Codec<V> | undefined,
    timeout,
  } = options;
  deadline(expires, 0);
  checkCodec(codec);
  const made: StoreContext = {
    ...context,
    prefix: context.prefix + checkPrefix(prefix),
    expires,
    codec: codec as Codec | undefined,
    timeout: timeout === undefined ? context.timeout : timeoutOf(timeout),
    undated: options.expires === undefined ? context.undated : undefined,
  };
  const store = storeOf<V>(made);
  made.tracer?.store(store, made);
  return store;
}

function storeOf<V>(context: StoreContext): Store<V> {
  const { connection, prefix, timeout } = context;
  const calls = new LazyCalls(context);
  const iterate = (...args: unknown[]): Pairs => calls.iterate(...args);

  const store: Store<V> & Shown & { readonly [CONTEXT]: StoreContext } = {
    [CONTEXT]: context,
    get type() {
      return connection.source.type;
    },
    get supports() {
      return connection.source.supports;
    },
    get options() {
      return Object.freeze({ prefix, expires: context.expires });
    },
    [Symbol.toStringTag]: "Store",
    // Node, Bun and Deno show this in place of twenty methods.
    [INSPECT]: () => `Store(${connection.source.type}, ${JSON.stringify(prefix)})`,
    get<T>(key: string): Promise<T | null> {
      const record = quickRead(context, key);
      return record === undefined || (record !== null && isMarked(record.value))
        ? calls.use("get", key)
        : Promise.resolve(record && (record.value as T));
    },
    has(key) {
      const record = quickRead(context, key);
      return record === undefined ? calls.use("has", key) : Promise.resolve(record !== null);
    },
    // The literals of durations are checked by the types of the interface.
    set(key: string, value: unknown, given?: object) {
      const done = quickWrite(context, key, value, given as SetOptions | undefined);
      if (done === false) return calls.use("set", key, value, given);
      return done === true ? Promise.resolve(key) : done.then(() => key);
    },
    del(key) {
      const done = quickWrite(context, key, null, undefined);
      if (done === false) return calls.use("del", key);
      return done === true ? Promise.resolve(key) : done.then(() => key);
    },
    add: calls.later("add"),
    getMany: calls.later("getMany"),
    setMany: calls.later("setMany"),
    delMany: calls.later("delMany"),
    entry: calls.later("entry"),
    touch: calls.later("touch"),
    keys: calls.later("keys"),
    values: calls.later("values"),
    entries: calls.later("entries"),
    all: calls.later("all"),
    list: calls.later("list"),
    commit: calls.later("commit"),
    clear: calls.later("clear"),
    prune: calls.later("prune"),
    iterate,
    watch: (target, options) => watchLater(context, target, options),
    [Symbol.asyncIterator]: iterate,
    close: () => connection.close(timeout),
    prefix: (inner = "") => createStore<V>(context, { prefix: inner }),
    expires: (expires) => createStore<V>(context, { expires: expires as Expires }),
  };
  return store;
}
