import type { Codec, KvOptions, SetOptions, Store } from "../api.ts";
import { checkCodec, isMarked } from "./codec-mark.ts";
import type { Connection } from "./connection.ts";
import type { Operations, StoreContext } from "./context.ts";
import { deadline, deadlineOf } from "../expires.ts";
import { checkPrefix, isKey } from "../prefix.ts";
import { lazy, load } from "../platform/load.ts";
import { checkOptions } from "../platform/options.ts";
import { whenReady } from "./perform.ts";
import { StoredRecord } from "../record/record.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import { timeoutOf } from "../concurrency/timeout-option.ts";
import type { Expires } from "../types.ts";
import { jsonCopy, snapshot } from "../record/json.ts";
import type { KvRecord } from "../record/types.ts";
import type { QuickItems } from "../clients/adapter.ts";
import { stampFor } from "../record/version.ts";

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

/** What a store over a connection has before anything is said of it. */
export const contextOver = (connection: Connection): StoreContext => ({
  connection,
  prefix: "",
  expires: null,
  codec: undefined,
  timeout: timeoutOf(undefined),
});

// Whoever makes the connection checks what it requires.
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
  return storeOf<V>({
    ...context,
    prefix: context.prefix + checkPrefix(prefix),
    expires,
    codec: codec as Codec | undefined,
    timeout: timeout === undefined ? context.timeout : timeoutOf(timeout),
    undated: options.expires === undefined ? context.undated : undefined,
  });
}

type Name = Exclude<keyof Operations, "iterate">;

function hasOnlyExpires(options: unknown): boolean {
  if (
    typeof options !== "object" ||
    options === null ||
    Object.getPrototypeOf(options) !== Object.prototype
  )
    return false;
  const names = Object.keys(options);
  return names.length === 0 || (names.length === 1 && names[0] === "expires");
}

function storeOf<V>(context: StoreContext): Store<V> {
  const { connection, prefix, codec, timeout } = context;

  // A client that answers at once needs no other code for its single keys, as long as nothing is
  // wrong: whatever does not fit here is left to the operations, which also say why it fails.

  /** The items, where an operation can be carried out at once. */
  function atOnce(key: unknown): QuickItems | null {
    const items = connection.quick ?? connection.openQuick();
    if (items === null || codec !== undefined || (context.order ?? connection.order).pending > 0)
      return null;
    return isKey(key, prefix, connection.source.supports.keyBytes) ? items : null;
  }

  /** The fresh record, or `null`; `undefined` where the operations have to look. */
  function quickRead(key: string): KvRecord | null | undefined {
    const items = atOnce(key);
    if (items === null) return undefined;
    try {
      const record = items.get(prefix === "" ? key : prefix + key);
      return record === null || record.expires === null || record.expires > Date.now()
        ? record
        : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Whether a value could be written, or a promise of the sweep that is due then; `null` deletes.
   */
  function quickWrite(
    key: string,
    value: unknown,
    options: SetOptions | undefined,
  ): Promise<void> | boolean {
    const items = atOnce(key);
    if (items === null || (options !== undefined && !hasOnlyExpires(options))) return false;
    const expires = options?.expires === undefined ? context.expires : options.expires;
    const now = expires === null ? 0 : Date.now();
    const at = expires === null ? null : deadlineOf(expires, now);
    const json = typeof value === "string" ? value : jsonCopy(value);
    if (json === undefined || Number.isNaN(at) || (typeof json === "object" && isMarked(json)))
      return false;
    const full = prefix === "" ? key : prefix + key;
    try {
      if (json === null || (at !== null && at <= now)) items.del(full);
      else items.set(full, new StoredRecord(json, at, stampFor(connection.source), null));
    } catch {
      return false;
    }
    return sweepAfter(context, 1) ?? true;
  }

  let own: Operations | undefined;
  const operations = (): Operations => (own ??= lazy.code!.operations(context));

  const call = (name: Name, args: readonly unknown[]): Promise<never> =>
    (operations()[name] as (...args: readonly unknown[]) => Promise<never>)(...args);

  /** Calls one of the operations, which are loaded by their first use. */
  function use(name: Name, ...args: readonly unknown[]): Promise<never> {
    if (connection.closing !== null) return connection.open() as Promise<never>;
    if (lazy.code !== undefined) return call(name, args);
    const copy = args.map((arg) => snapshot(arg));
    return connection.count(whenReady(context, () => call(name, copy)));
  }

  const later =
    (name: Name) =>
    (...args: readonly unknown[]): Promise<never> =>
      use(name, ...args);

  async function* firstIteration(
    args: unknown[],
  ): AsyncGenerator<[key: string, value: never], void, undefined> {
    await load();
    yield* operations().iterate(...args);
  }
  // A generator around it would cost more for each pair than the pair.
  const iterate = (...args: unknown[]): ReturnType<typeof firstIteration> =>
    lazy.code === undefined ? firstIteration(args) : operations().iterate(...args);

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
      const record = quickRead(key);
      if (record === undefined || (record !== null && isMarked(record.value)))
        return use("get", key);
      return Promise.resolve(record && (record.value as T));
    },
    has(key) {
      const record = quickRead(key);
      return record === undefined ? use("has", key) : Promise.resolve(record !== null);
    },
    // The literals of durations are checked by the types of the interface.
    set(key: string, value: unknown, given?: object) {
      const options = given as SetOptions | undefined;
      const done = quickWrite(key, value, options);
      if (done === false) return use("set", key, value, options);
      return done === true ? Promise.resolve(key) : done.then(() => key);
    },
    del(key) {
      const done = quickWrite(key, null, undefined);
      if (done === false) return use("del", key);
      return done === true ? Promise.resolve(key) : done.then(() => key);
    },
    add: later("add"),
    getMany: later("getMany"),
    setMany: later("setMany"),
    delMany: later("delMany"),
    entry: later("entry"),
    touch: later("touch"),
    keys: later("keys"),
    values: later("values"),
    entries: later("entries"),
    all: later("all"),
    list: later("list"),
    commit: later("commit"),
    clear: later("clear"),
    prune: later("prune"),
    iterate,
    watch(target, options) {
      const asked = Array.isArray(target) ? [...target] : target;
      const opening = load().then((code) => code.watch(context, asked, options));
      const ready = opening.then((opened) => opened.ready);
      // The iteration rejects with the same error.
      ready.catch(() => {});
      const call = (name: "next" | "close") => (): Promise<never> =>
        opening.then((opened) => opened[name]() as never);
      return {
        ready,
        next: call("next"),
        return: call("close"),
        close: call("close"),
        [Symbol.asyncIterator]() {
          return this;
        },
        [Symbol.asyncDispose]: call("close"),
      };
    },
    [Symbol.asyncIterator]: iterate,
    close: () => connection.close(timeout),
    prefix: (inner = "") => createStore<V>(context, { prefix: inner }),
    expires: (expires) => createStore<V>(context, { expires: expires as Expires }),
  };
  return store;
}
