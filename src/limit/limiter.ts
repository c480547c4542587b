import type { Store } from "../api.ts";
import { type Hit, hit, type HitOptions } from "../atomic/hit.ts";
import { requireAtomic, requireStore } from "../store/require-store.ts";

/** The count of a window that has not ended. */
export interface Window {
  readonly count: number;
  /** When the window ends, in milliseconds since 1970. */
  readonly resetAt: number;
}

/** Rate limits in a store, for authors of integrations. */
export interface Limiter {
  /** Counts in a window, in one step: `hit` of `anykv/atomic`, with the same arguments. */
  hit(key: string, window: number | string, by?: number, options?: HitOptions): Promise<Hit>;
  /** The window of a key without counting; `null` when there is none. */
  peek(key: string): Promise<Window | null>;
  /** Moves the end of a window. Resolves to whether there is one. */
  extend(key: string, resetAt: Date): Promise<boolean>;
  /** Ends the window of a key. */
  reset(key: string): Promise<void>;
  /** Ends all windows. */
  clear(): Promise<void>;
}

/**
 * Rate limits over a store, for authors of integrations. Each key is the number that was counted,
 * and its deadline is the end of the window: no key is ever without a deadline. Give every limiter
 * a prefix of its own.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_NOT_SUPPORTED where
 * `supports.atomic` is `"no"`, since such a limit would let more pass.
 * @example
 * import kv from "anykv";
 * import { createLimiter } from "anykv/limit";
 *
 * const limiter = createLimiter(kv(new Map()).prefix("limit:"));
 * console.log((await limiter.hit("ann", "1m", 1, { max: 1 })).allowed); // true
 * console.log((await limiter.hit("ann", "1m", 1, { max: 1 })).allowed); // false
 * console.log((await limiter.peek("ann")).count); // 2
 * await limiter.reset("ann");
 */
export function createLimiter(store: Store): Limiter {
  requireStore(store, "createLimiter()");
  requireAtomic(store, "a rate limit");
  return {
    hit: (key, window, by, options) => hit(store, key, window, by, options),
    async peek(key) {
      const entry = await store.entry<number>(key);
      return entry?.expires ? { count: Number(entry.value), resetAt: entry.expires } : null;
    },
    extend: (key, resetAt) => store.touch(key, resetAt),
    async reset(key) {
      await store.del(key);
    },
    clear: () => store.clear(),
  };
}
