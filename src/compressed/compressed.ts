import type { Store } from "../api.ts";
import type { Client } from "../clients/client.ts";
import { KvError } from "../errors.ts";
import { kv } from "../index.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { transformedStore } from "../store/transformed.ts";
import { Compression } from "./compression.ts";

/** Options of {@link compressed}. */
export interface CompressedOptions {
  /** Values of more bytes in JSON are compressed. Default 1024. */
  readonly over?: number | undefined;
  /**
   * The largest value in bytes, as it was before it was compressed: a small record that would fill
   * the memory is rejected. Default 64 MiB.
   */
  readonly maxBytes?: number | undefined;
}

function checkBytes(name: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least)
    throw new KvError("KV_INVALID_VALUE", `${name} has to be a whole number from ${least}`);
}

/**
 * Compresses large values with gzip. Small values and those that do not get smaller are stored as
 * they are, and values that were stored without it are read.
 *
 * @param client anything that `kv()` takes. The prefix, expiry, codec and timeout of a store are
 * kept.
 * @returns a store; pass it to `kv()` for a prefix or other options.
 * @throws {KvError} at once: KV_INVALID_VALUE for unusable options; KV_UNKNOWN_CLIENT;
 * KV_NOT_SUPPORTED where the runtime has no `CompressionStream`. Writes reject values above
 * `maxBytes` with KV_TOO_LARGE, reads reject damaged records with KV_CORRUPT.
 * @example
 * import kv from "anykv";
 * import { compressed } from "anykv/compressed";
 *
 * const map = new Map();
 * const store = kv(compressed(map, { over: 1024 }));
 * await store.set("page", "<p>Hello</p>".repeat(1000));
 * console.log((await store.get("page")).length); // 12000
 */
export function compressed<V>(client: Store<V>, options?: CompressedOptions): Store<V>;
export function compressed(
  client?: Client | PromiseLike<Client>,
  options?: CompressedOptions,
): Store;
export function compressed(client?: unknown, options?: CompressedOptions): Store {
  checkOptions(options, ["over", "maxBytes"], "compressed()");
  const { over = 1024, maxBytes = 64 * 1024 * 1024 } = options ?? {};
  checkBytes("over", over, 0);
  checkBytes("maxBytes", maxBytes, 1);
  if (typeof CompressionStream !== "function" || typeof DecompressionStream !== "function")
    throw new KvError("KV_NOT_SUPPORTED", "compressed() needs CompressionStream: this has none");
  return transformedStore(contextOf(kv(client as Client))!, {
    supports: (inner) => ({ ...inner, bytes: true }),
    transform: ({ bytes }) => new Compression({ over, maxBytes, keepsBytes: bytes }),
  });
}
