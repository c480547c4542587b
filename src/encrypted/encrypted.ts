import type { Store } from "../api.ts";
import type { Client } from "../clients/client.ts";
import { KvError } from "../errors.ts";
import { kv } from "../index.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { type Layer, transformedStore } from "../store/transformed.ts";
import type { Supports } from "../types.ts";
import { Encryption, OVERHEAD } from "./encryption.ts";
import { orderOfHashed } from "./hashed-order.ts";
import { encryptionKeys, hashingKey } from "./keys.ts";
import type { EncryptionKey, KeyMaterial } from "./types.ts";

/** Options of {@link encrypted}. */
export interface EncryptedOptions {
  /** The first key encrypts, all of them decrypt. Put a new key in front to rotate. */
  readonly keys: readonly EncryptionKey[];
  /**
   * Stores each record under the HMAC-SHA-256 of its key with this secret: 32 bytes or more. Such a
   * store cannot list, iterate or clear. Default: keys are stored as they are.
   */
  readonly hashKeys?: KeyMaterial | undefined;
}

/** The bytes of a value that fit into a record of so many: the rest is base64 and the frame. */
const fitting = ({ valueBytes, bytes }: Supports): number =>
  bytes ? valueBytes - OVERHEAD : Math.floor((valueBytes - 2 * OVERHEAD) * 0.75);

/**
 * Encrypts the values and the metadata of a store with AES-GCM. Keys, deadlines and versions stay
 * readable. The record's full key is authenticated: a value that was copied to another key is
 * rejected.
 *
 * @param client anything that `kv()` takes. The prefix, expiry, codec and timeout of a store are
 * kept.
 * @returns a store; pass it to `kv()` for a prefix or other options.
 * @throws {KvError} at once: KV_INVALID_VALUE for unusable keys or options; KV_UNKNOWN_CLIENT;
 * KV_NOT_SUPPORTED without WebCrypto, as in a page without https. Reads reject with KV_CORRUPT what
 * is not encrypted, was changed, or needs another key.
 * @example
 * import kv from "anykv";
 * import { encrypted } from "anykv/encrypted";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32)); // keep it: process.env.KV_KEY
 * const map = new Map();
 * const store = kv(encrypted(map, { keys: [{ id: "2026", key }] }));
 * await store.set("card", { number: "4111" }, { expires: "1h" });
 * console.log(await store.get("card")); // { number: "4111" }
 * console.log(JSON.stringify(await kv(map).get("card")).includes("4111")); // false
 */
export function encrypted<V>(client: Store<V>, options: EncryptedOptions): Store<V>;
export function encrypted(
  client: Client | PromiseLike<Client> | undefined,
  options: EncryptedOptions,
): Store;
export function encrypted(client: unknown, options: EncryptedOptions): Store {
  checkOptions(options, ["keys", "hashKeys"], "encrypted()");
  const keys = encryptionKeys(options?.keys);
  const hashKey = options.hashKeys === undefined ? undefined : hashingKey(options.hashKeys);
  if (globalThis.crypto?.subtle === undefined)
    throw new KvError(
      "KV_NOT_SUPPORTED",
      "encrypted() needs WebCrypto (crypto.subtle): a page has it over https alone",
    );
  const context = contextOf(kv(client as Client))!;
  const layer: Layer = {
    supports: (inner) => ({ ...inner, bytes: true, valueBytes: fitting(inner) }),
    transform: ({ bytes }) => new Encryption(keys, bytes),
  };
  if (hashKey === undefined) return transformedStore(context, layer);
  return transformedStore(context, {
    ...layer,
    supports: (inner) => ({
      ...layer.supports(inner),
      keyBytes: Infinity,
      iterate: false,
      order: false,
      watch: "polled",
    }),
    async adapter(inner) {
      const { hashedAdapter, KeyHash } = await import("./hashed-keys.ts");
      return hashedAdapter(inner, context, new KeyHash(hashKey, context));
    },
    order: orderOfHashed,
  });
}
