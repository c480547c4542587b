import type { Codec, KvOptions, PlainOptions, Storable, Store } from "./api.ts";
import type { Client } from "./clients/client.ts";
import { Connection } from "./store/connection.ts";
import type { StoreContext } from "./store/context.ts";
import { detect } from "./clients/detect.ts";
import { KvError } from "./errors.ts";
import { supports } from "./clients/manifests.ts";
import { checkRequires } from "./clients/requires.ts";
import { contextOf, contextOver, createStore } from "./store/store.ts";
import type { Json } from "./types.ts";
import type { KvRecord } from "./record/types.ts";

export type * from "./api.ts";
export type { Client, CustomClient, CustomSetOptions } from "./clients/client.ts";
export type { ClientFactory, Source } from "./clients/define.ts";
export { isKvError, KvError, type KvErrorCode, type KvErrorDetails } from "./errors.ts";
export type * from "./clients/adapter.ts";
export type * from "./record/types.ts";
export type * from "./types.ts";

/** The options of a store without a codec: one is needed where JSON cannot keep the values. */
type WithoutCodec<V, S extends string> = [V] extends [Storable<V>]
  ? [options?: PlainOptions<S> & { codec?: undefined }]
  : [options: KvOptions<V, S> & { codec: Codec<V> }];

/**
 * Puts one store over any key-value client.
 *
 * Needs no `new` and no `await`. Nothing is opened before the first operation; a client that cannot
 * be opened, or a promise that rejects, rejects every operation with KV_CONNECTION.
 *
 * @typeParam V the type of the values. Default: JSON, or the values of the codec.
 * @param client a client, a promise of one, a client's factory, another store (its prefix, expiry
 * and codec are kept), a promise of a store (its prefix and expiry are kept), a class, or nothing
 * for memory.
 * @throws {KvError} at once: KV_UNKNOWN_CLIENT when it is no client; KV_NOT_SUPPORTED when it lacks
 * something that is required; KV_INVALID_KEY, KV_INVALID_EXPIRES or KV_INVALID_VALUE for the
 * options.
 * @example
 * import kv from "anykv";
 *
 * const store = kv(new Map());
 * const key = await store.add("Hello");
 * console.log(await store.get(key)); // "Hello"
 * await store.set("session", { user: "ann" }, { expires: "1h" });
 * console.log(await store.has("session")); // true
 */
export function kv<V, S extends string = string>(
  client: Client | PromiseLike<Client> | undefined,
  options: KvOptions<V, S> & { codec: Codec<V> },
): Store<V>;
export function kv<V extends Json = Json, S extends string = string>(
  client?: Client | PromiseLike<Client>,
  options?: PlainOptions<S> & { codec?: undefined },
): Store<V>;
export function kv<V, S extends string = string>(
  client?: Client | PromiseLike<Client>,
  ...options: WithoutCodec<V, S>
): Store<V>;
export function kv<S extends string = string>(
  client?: Client | PromiseLike<Client>,
  options?: KvOptions<unknown, S>,
): Store<unknown>;
export function kv(client?: unknown, options: KvOptions = {}): Store {
  const context = contextOf(client);
  // Not an object: rejected below.
  const requires = options?.requires;
  if (context !== undefined) {
    const { type, supports, settled } = context.connection.source;
    // The capabilities of a pending store are not known yet: a lack must only reject the operations
    // of this one.
    if (settled !== undefined && requires !== undefined)
      return overPromise(
        settled.then(() => client),
        options,
        context,
      );
    checkRequires(requires, supports, type);
    return createStore(context, options);
  }
  if (typeof (client as PromiseLike<unknown> | undefined)?.then === "function")
    return overPromise(client as PromiseLike<unknown>, options);
  const source = detect(client);
  checkRequires(requires, source.supports, source.type);
  return createStore(contextOver(new Connection(source)), options);
}

/** A store over a promise. `base` is the store that it settles to, where that is known. */
function overPromise(client: PromiseLike<unknown>, options: KvOptions, base?: StoreContext): Store {
  const undated = new WeakSet<KvRecord>();
  const settled = Promise.resolve(client).then(async (found) => {
    // Functions such as `connect()` often resolve to nothing: that must not become a memory store.
    if (found === undefined)
      throw new KvError(
        "KV_UNKNOWN_CLIENT",
        "a promise that resolves to nothing is no client: pass a promise of the client itself",
      );
    const context = contextOf(found);
    if (base === undefined && context?.codec !== undefined && options.codec === undefined) {
      throw new KvError(
        "KV_INVALID_CLIENT",
        "the promised store has a codec: pass it here too, kv(promise, { codec })",
      );
    }
    const source =
      context === undefined
        ? detect(found)
        : await (await import("./store/promised.ts")).sourceOver(context, undated);
    checkRequires(options.requires, source.supports, source.type);
    return source;
  }, rejected);
  // The first operation reports the error. Until then it must not count as unhandled.
  settled.catch(() => {});
  const pending = {
    type: "PENDING",
    supports: supports({}),
    settled,
    open: () => settled.then((source) => source.open()),
    close: () => settled.then((source) => source.close?.() ?? false),
  };
  const context = contextOver(new Connection(pending, () => settled));
  return createStore(
    { ...context, ...(base && { codec: base.codec, timeout: base.timeout }), undated },
    options,
  );
}

/** Who gave up connecting cannot be asked again: the client itself could be. */
function rejected(cause: unknown): never {
  throw new KvError(
    "KV_CONNECTION",
    "the promise of a client was rejected, and stays so (see the cause): pass the client " +
      "itself, which is connected when it is needed",
    { cause },
  );
}

export default kv;
