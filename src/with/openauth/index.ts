import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** Options of {@link openauthStorage}. */
export interface OpenauthOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** The `storage` of an OpenAuth issuer. */
export interface OpenauthStorage<V> {
  get(key: string[]): Promise<V | undefined>;
  set(key: string[], value: unknown, expiry?: Date): Promise<void>;
  remove(key: string[]): Promise<void>;
  /** Everything below a key, part by part: `["a"]` does not contain `["ab", "c"]`. */
  scan(prefix: string[]): AsyncGenerator<[key: string[], value: V], void>;
}

// OpenAuth removes it from the parts of keys.
const SEPARATOR = "\u001f";

/**
 * A `storage` for an OpenAuth issuer: signing keys, codes and refresh tokens.
 *
 * A failing store rejects.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for unknown
 * options.
 * @example
 * import kv from "anykv";
 * import { openauthStorage } from "anykv/with/openauth";
 *
 * const storage = openauthStorage(kv(new Map()), { prefix: "auth:" });
 * await storage.set(["oauth:refresh", "ann"], { n: 1 }, new Date(Date.now() + 60_000));
 * console.log(await storage.get(["oauth:refresh", "ann"])); // { n: 1 }
 */
export function openauthStorage<V = { [name: string]: unknown }>(
  store: Store,
  options: OpenauthOptions = {},
): OpenauthStorage<V> {
  checkOptions(options, ["prefix"], "openauthStorage()");
  requireStore(store, "openauthStorage()");
  const base = store.prefix(options.prefix);
  const keyOf = (parts: string[]): string => parts.join(SEPARATOR);
  return {
    get: async (key) => ((await base.get(keyOf(key))) as V | null) ?? undefined,
    async set(key, value, expiry) {
      await base.set(keyOf(key), value, { expires: expiry });
    },
    async remove(key) {
      await base.del(keyOf(key));
    },
    async *scan(prefix) {
      const within = prefix.length === 0 ? "" : keyOf(prefix) + SEPARATOR;
      for await (const [key, value] of base.prefix(within))
        yield [[...prefix, ...key.split(SEPARATOR)], value as V];
    },
  };
}
