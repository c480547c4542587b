import type { Store } from "../../api.ts";
import { hit } from "../../atomic/hit.ts";
import { take } from "../../atomic/update.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";

/** Options of {@link betterAuthStorage}. */
export interface BetterAuthStorageOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** The `secondaryStorage` of better-auth. */
export interface BetterAuthStorage {
  get(key: string): Promise<string | null>;
  /** Writes a text. `ttl` is in seconds. */
  set(key: string, value: string, ttl?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Reads a text and deletes it in one step: of concurrent calls one gets it. */
  getAndDelete(key: string): Promise<string | null>;
  /** Counts in one step. The window of `ttl` seconds starts with the first count. */
  increment(key: string, ttl: number): Promise<number>;
}

/**
 * A `secondaryStorage` for better-auth 1.7 and later: sessions, verifications and rate limits.
 *
 * `getAndDelete` and `increment` are atomic, also across processes where `supports.atomic` is
 * `"yes"`. A store without compare-and-set is rejected at once, because its rate limits would let
 * more pass and its one-time tokens would work twice. A failing store rejects.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options.
 * @example
 * import { betterAuth } from "better-auth";
 * import kv from "anykv";
 * import { betterAuthStorage } from "anykv/with/better-auth";
 *
 * const secondaryStorage = betterAuthStorage(kv(new Map()), { prefix: "auth:" });
 * const secret = "a secret of at least 32 characters";
 * const auth = betterAuth({ baseURL: "http://localhost:3000", secret, secondaryStorage });
 * console.log(typeof auth.handler); // function
 */
export function betterAuthStorage(
  store: Store,
  options: BetterAuthStorageOptions = {},
): BetterAuthStorage {
  checkOptions(options, ["prefix"], "betterAuthStorage()");
  requireStore(store, "betterAuthStorage()");
  requireAtomic(store, "better-auth");
  const base = store.prefix(options.prefix);
  // Counters are numbers, and better-auth reads them as text.
  const textOf = (value: unknown): string | null =>
    typeof value === "number" ? `${value}` : (value as string | null);
  return {
    get: async (key) => textOf(await base.get(key)),
    async set(key, value, ttl) {
      const expires = ttl === undefined ? undefined : new Date(Date.now() + ttl * 1000);
      await base.set(key, value, { expires });
    },
    async delete(key) {
      await base.del(key);
    },
    getAndDelete: async (key) => textOf(await take(base, key)),
    increment: async (key, ttl) => (await hit(base, key, ttl)).count,
  };
}
