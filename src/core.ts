import type { Codec, KvOptions, Store } from "./api.ts";
import { isSource, type Source } from "./clients/define.ts";
import { Connection } from "./store/connection.ts";
import { KvError } from "./errors.ts";
import { checkRequires } from "./clients/requires.ts";
import { contextOf, contextOver, createStore } from "./store/store.ts";
import type { Json } from "./types.ts";

export type * from "./api.ts";
export type { ClientFactory, Source } from "./clients/define.ts";
export { isKvError, KvError, type KvErrorCode, type KvErrorDetails } from "./errors.ts";
export type * from "./clients/adapter.ts";
export type * from "./record/types.ts";
export type * from "./types.ts";

/**
 * `kv()` without detection, for small bundles: it takes the result of a client factory, or another
 * store. Everything else is as in `anykv`.
 *
 * @param client the result of a factory of `anykv/clients/…`, or another store (its prefix, expiry
 * and codec are kept).
 * @throws {KvError} at once: KV_UNKNOWN_CLIENT for anything else; KV_NOT_SUPPORTED when it lacks
 * something that is required; KV_INVALID_KEY, KV_INVALID_EXPIRES or KV_INVALID_VALUE for the
 * options.
 * @example
 * import { kv } from "anykv/core";
 * import { memory } from "anykv/clients/memory";
 *
 * const store = kv(memory());
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 */
export function kv<V = Json>(
  client: Source | Store<V>,
  options: KvOptions<V> & { codec: Codec<V> },
): Store<V>;
export function kv<V = Json>(
  client: Source | Store<V>,
  options?: Omit<KvOptions, "codec">,
): Store<V>;
export function kv<V = Json>(client: Source | Store<V>, options: KvOptions<V> = {}): Store<V> {
  const context = contextOf(client);
  if (context === undefined && !isSource(client)) {
    throw new KvError(
      "KV_UNKNOWN_CLIENT",
      "anykv/core detects no clients: pass what a factory returns, such as " +
        'storage(localStorage) with storage of "anykv/clients/storage"',
    );
  }
  const { source } = context?.connection ?? { source: client as Source };
  checkRequires(options?.requires, source.supports, source.type);
  return createStore<V>(context ?? contextOver(new Connection(source)), options);
}

export default kv;
