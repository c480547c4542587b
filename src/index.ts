import type { Codec, KvOptions, Store } from "./api.ts";
import { Connection } from "./connection.ts";
import { detect } from "./detect.ts";
import { KvError } from "./errors.ts";
import { supports } from "./manifest.ts";
import { contextOf, contextOver, createStore } from "./store.ts";
import type { Json } from "./types.ts";

export type * from "./api.ts";
export type { CustomClient, CustomSetOptions } from "./clients/custom.ts";
export type { ClientFactory, Source } from "./clients/define.ts";
export { isKvError, KvError, type KvErrorCode, type KvErrorDetails } from "./errors.ts";
export type * from "./types.ts";

/**
 * Puts one store over any key-value client.
 *
 * Needs no `new` and no `await`. Nothing is opened before the first operation; a client that cannot be opened, or a promise that
 * rejects, rejects every operation with KV_CONNECTION.
 *
 * @typeParam V the type of the values. Default: JSON, or what the codec takes.
 * @param client a client, a promise of one, a client's factory, another store (its prefix and expiry are kept), a class, or nothing for memory.
 * @throws {KvError} KV_UNKNOWN_CLIENT when it is no client, KV_INVALID_KEY, KV_INVALID_EXPIRES or KV_INVALID_VALUE for the options: at once.
 * @example
 * import kv from "anykv";
 *
 * const store = kv(new Map());
 * const key = await store.add("Hello");
 * console.log(await store.get(key)); // "Hello"
 * await store.set("session", { user: "ann" }, { expires: "1h" });
 * console.log(await store.has("session")); // true
 */
export function kv<V = Json>(client: unknown, options: KvOptions<V> & { codec: Codec<V> }): Store<V>;
export function kv<V = Json>(client?: unknown, options?: Omit<KvOptions, "codec">): Store<V>;
export function kv<V = Json>(client?: unknown, options: KvOptions<V> = {}): Store<V> {
  const context = contextOf(client);
  if (context !== undefined) return createStore<V>(context, options);
  const isPromise = typeof (client as PromiseLike<unknown> | undefined)?.then === "function";
  return isPromise ? overPromise(client as PromiseLike<unknown>, options) : over(new Connection(detect(client)), options);
}

function over<V>(connection: Connection, options: KvOptions<V>): Store<V> {
  return createStore<V>(contextOver(connection), options);
}

function overPromise<V>(client: PromiseLike<unknown>, options: KvOptions<V>): Store<V> {
  const found = Promise.resolve(client).then((settled) => {
    if (contextOf(settled) !== undefined) throw new KvError("KV_INVALID_CLIENT", "a promise of a store is no client: await it, and pass the store");
    // What opens a connection often resolves to nothing: that must not end in memory.
    if (settled === undefined) throw new KvError("KV_UNKNOWN_CLIENT", "a promise that resolves to nothing is no client: pass a promise of the client itself");
    return detect(settled);
  }, rejected);
  // Whoever uses the store is told; until then it must not count as unhandled.
  found.catch(() => {});
  const pending = { type: "PENDING", supports: supports({}), open: () => found.then((source) => source.open()), close: () => found.then((source) => source.close?.() ?? false) };
  return over(new Connection(pending, () => found), options);
}

/** Who gave up connecting cannot be asked again: the client itself could be. */
function rejected(cause: unknown): never {
  throw new KvError("KV_CONNECTION", "the promise of a client was rejected, and stays so (see the cause): pass the client itself, which is connected when it is needed", { cause });
}

export default kv;
