import type { Codec, KvOptions, SetOptions, Store } from "./api.ts";
import { checkCodec, decodeValue, encodeValue } from "./coded.ts";
import { type Connection, SWEEP } from "./connection.ts";
import type { Operations, StoreContext, StoreCore } from "./core.ts";
import { isKvError, KvError } from "./errors.ts";
import { deadline } from "./expires.ts";
import { checkPrefix, fullKey } from "./key.ts";
import { checkOptions, checkWriteOptions } from "./options.ts";
import { Order } from "./order.ts";
import { timeoutOf, within } from "./patience.ts";
import { inOrder, WHOLE } from "./perform.ts";
import { formatVersion, nextStamp, StoredRecord, timedStamp } from "./record.ts";
import type { Adapter, Json, KvRecord, MaybePromise } from "./types.ts";
import { checkedCopy, snapshot } from "./value.ts";

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
  return typeof input === "object" && input !== null ? (input as { [CONTEXT]?: StoreContext })[CONTEXT] : undefined;
}

/** What a store over a connection has before anything is said of it. */
export const contextOver = (connection: Connection): StoreContext => ({ connection, prefix: "", expires: null, codec: undefined, timeout: timeoutOf(undefined) });

const KV_OPTIONS = ["prefix", "expires", "codec", "timeout"];

/** A store whose prefix goes on behind the context's, and whose default expiry and codec replace the context's. */
export function createStore<V>(context: StoreContext, options: KvOptions<V>): Store<V> {
  // A number may be the index that map() passes.
  if (typeof options !== "number") checkOptions(options, KV_OPTIONS, "kv()");
  const { prefix = "", expires = context.expires, codec = context.codec as Codec<V> | undefined, timeout } = options;
  deadline(expires, 0);
  checkCodec(codec);
  return storeOf<V>({
    ...context,
    prefix: context.prefix + checkPrefix(prefix),
    expires,
    codec: codec as Codec | undefined,
    timeout: timeout === undefined ? context.timeout : timeoutOf(timeout),
  });
}

/**
 * Runs an operation of several steps in call order, as one operation on these keys of the store.
 * `work` gets the same store inside its turn: its calls do not wait for the operation itself.
 */
export async function inTurn<V, T>(store: Store<V>, keys: readonly string[], work: (inside: Store<V>) => Promise<T>): Promise<T> {
  const context = contextOf(store);
  if (context === undefined) return work(store);
  const inside = createStore<V>({ ...context, order: new Order() }, {});
  return inOrder(context, { write: keys.map((key) => context.prefix + key) }, () => work(inside), WHOLE);
}

let operationsModule: typeof import("./operations.ts") | undefined;
const loading = async (): Promise<typeof import("./operations.ts")> => (operationsModule ??= await import("./operations.ts"));
let sweepModule: typeof import("./sweep.ts") | undefined;
const sweeping = async (): Promise<typeof import("./sweep.ts")> => (sweepModule ??= await import("./sweep.ts"));

function storeOf<V>(context: StoreContext): Store<V> {
  const { connection, prefix, codec, timeout } = context;

  const refuse = (error: unknown, key?: unknown, action = "listing"): never => {
    return connection.refuse(error, action, typeof key === "string" ? key : undefined);
  };

  // The checks that need no client: all of them are made before a client is touched.

  function locate(key: unknown, inner = ""): string {
    try {
      return fullKey(inner === "" ? prefix : prefix + checkPrefix(inner), key, connection.source.supports.keyBytes);
    } catch (error) {
      return refuse(error, key);
    }
  }

  function recordOf(key: string, value: unknown, options: SetOptions | undefined, version: string | number): StoredRecord | null {
    try {
      checkWriteOptions(options);
      const expires = options?.expires === undefined ? context.expires : options.expires;
      const now = expires === null ? 0 : Date.now();
      const at = expires === null ? null : deadline(expires, now);
      const metadata = options?.metadata === undefined ? null : checkedCopy(options.metadata, "metadata");
      if (value === null || value === undefined || (at !== null && at <= now)) return null;
      return new StoredRecord(encodeValue(codec, value), at, version, metadata);
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  function decode<T>(value: Json, key: string): T {
    try {
      return decodeValue(codec, value, key) as T;
    } catch (error) {
      return refuse(error);
    }
  }

  // Only data that outlives the process needs versions that are ordered across processes.
  const stamp = (): string | number => (connection.source.supports.persistent ? formatVersion(timedStamp()) : nextStamp());

  async function expired(key: string, record: KvRecord): Promise<null> {
    // The reader is told the truth either way; a client that refuses to delete is asked again by the next reader.
    await sweeping().then(({ evictFrom }) => evictFrom(connection, order(), timeout, key, record)).catch(() => {});
    return null;
  }

  function wrote(count: number): Promise<void> | undefined {
    connection.writes += count;
    return connection.writes < connection.sweepAt ? undefined : sweepNow();
  }

  async function sweepNow(): Promise<void> {
    connection.writes = 0;
    if (connection.source.supports.expires === "native") return;
    // One sweep at a time, however many writes come meanwhile.
    connection.sweepAt = Infinity;
    // The write that this rides on has succeeded: a sweep that cannot even be loaded must not take that back.
    connection.sweepAt = await sweeping().then(({ sweep }) => sweep(connection, timeout)).catch(() => SWEEP);
  }

  // Operations take effect in call order. Single reads and writes keep it without any cost while nothing is pending.

  const order = (): Order => context.order ?? connection.order;
  const perform: StoreCore["perform"] = (scope, work, times, isSingle) => inOrder(context, scope, work, times, isSingle);

  // Both answer with a promise only for what takes time, so that a client that answers at once costs a single one.

  function read(key: string): MaybePromise<KvRecord | null> {
    const { adapter } = connection;
    const isFree = adapter !== null && order().pending === 0;
    const found = isFree ? readNow(key, adapter) : perform({ read: [key] }, (opened) => readNow(key, opened), 1, true);
    if (!(found instanceof Promise)) return judge(key, found);
    if (isFree && adapter.inOrder !== true) order().track(key, false, found, timeout);
    return found.then((record) => judge(key, record));
  }

  function readNow(key: string, adapter: Adapter): MaybePromise<KvRecord | null> {
    try {
      const found = adapter.get(key);
      return found instanceof Promise ? within(found, timeout, connection).catch((error) => refuse(error, key, "reading")) : found;
    } catch (error) {
      return refuse(error, key, "reading");
    }
  }

  function judge(key: string, record: KvRecord | null): MaybePromise<KvRecord | null> {
    return record === null || record.expires === null || record.expires > Date.now() ? record : expired(key, record);
  }

  async function get<T = V>(key: string): Promise<T | null> {
    const full = locate(key);
    const found = read(full);
    const record = found instanceof Promise ? await found : found;
    return record && decode<T>(record.value, full);
  }

  function hasNow(key: string, adapter: Adapter): MaybePromise<boolean> {
    const found = adapter.has!(key, Date.now());
    return found instanceof Promise ? within(found, timeout, connection) : found;
  }

  async function has(key: string): Promise<boolean> {
    const full = locate(key);
    try {
      const { adapter } = connection;
      const isFree = adapter !== null && order().pending === 0;
      const look = (opened: Adapter): MaybePromise<KvRecord | boolean | null> => (opened.has === undefined ? readNow(full, opened) : hasNow(full, opened));
      const looked = isFree ? look(adapter) : perform({ read: [full] }, look, 1, true);
      if (isFree && looked instanceof Promise && adapter.inOrder !== true) order().track(full, false, looked, timeout);
      const found = looked instanceof Promise ? await looked : looked;
      return typeof found === "boolean" ? found : (await judge(full, found)) !== null;
    } catch (error) {
      return isKvError(error, "KV_FOREIGN") ? false : refuse(error, full, "reading");
    }
  }

  function writeNow(key: string, record: KvRecord | null, adapter: Adapter): Promise<void> | undefined {
    const done = record === null ? adapter.del(key) : adapter.set(key, record);
    return done instanceof Promise ? within(done, timeout, connection) : undefined;
  }

  function writeInTurn(key: string, record: KvRecord | null, adapter: Adapter): Promise<void> | undefined {
    try {
      return writeNow(key, record, adapter)?.catch((error) => refuse(error, key, "writing"));
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  function put(key: string, record: KvRecord | null): Promise<void> | undefined {
    try {
      const { adapter } = connection;
      const isFree = adapter !== null && order().pending === 0;
      const done = isFree ? writeNow(key, record, adapter) : perform<void>({ write: [key] }, (opened) => writeNow(key, record, opened), 1, true);
      if (!(done instanceof Promise)) return wrote(1);
      if (isFree && adapter.inOrder !== true) order().track(key, true, done, timeout);
      return done.then(
        () => wrote(1),
        (error) => refuse(error, key, "writing"),
      );
    } catch (error) {
      return refuse(error, key, "writing");
    }
  }

  async function set(key: string, value: unknown, options?: SetOptions): Promise<string> {
    const full = locate(key, options?.prefix);
    const record = recordOf(full, value, options, stamp());
    const pending = put(full, record);
    if (pending !== undefined) await pending;
    return key;
  }

  async function del(key: string): Promise<string> {
    const full = locate(key);
    await put(full, null);
    return key;
  }

  // Everything else is loaded by its first use, so that a page that reads and writes single keys stays small.
  const core: StoreCore = { ...context, refuse, locate, recordOf, decode, stamp, expired, wrote, readNow, read, writeNow: writeInTurn, perform, order };
  let own: Operations | undefined;
  const operations = (): Operations => (own ??= operationsModule!.operations(core));
  type Name = Exclude<keyof Operations, "iterate">;
  const call = async (name: Name, args: unknown[]): Promise<never> => {
    try {
      return await (operations()[name] as (...args: unknown[]) => Promise<never>)(...args);
    } catch (error) {
      // Failures of the client are KvErrors here; anything else was caused by a bad argument.
      return refuse(isKvError(error) ? error : new KvError("KV_INVALID_VALUE", `the arguments of ${name}() cannot be used: see its documentation`, { cause: error }));
    }
  };
  const later =
    (name: Name) =>
    async (...args: unknown[]): Promise<never> => {
      if (operationsModule !== undefined) return call(name, args);
      // Operations that are called while the code is loaded wait behind this one.
      const copy = args.map((arg) => snapshot(arg));
      const load = loading();
      order().hold(load);
      const result = order().later(() => (operationsModule === undefined ? load.then(refuse) : call(name, copy)));
      return connection.count(result as Promise<never>);
    };

  async function* firstIteration(args: unknown[]): AsyncGenerator<[key: string, value: never], void, undefined> {
    await loading();
    yield* operations().iterate(...args);
  }
  // A generator around it would cost more for each pair than the pair.
  const iterate = (...args: unknown[]): ReturnType<typeof firstIteration> => (operationsModule === undefined ? firstIteration(args) : operations().iterate(...args));

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
    get,
    set,
    has,
    del,
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
    [Symbol.asyncIterator]: iterate,
    close: () => connection.close(timeout),
    prefix: (inner = "") => createStore<V>(context, { prefix: inner }),
    expires: (expires) => createStore<V>(context, { expires }),
  };
  return store;
}
