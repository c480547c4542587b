import type { Store } from "../../api.ts";
import { createLimiter } from "../../limit/limiter.ts";

/** The answer of a storage of @nestjs/throttler, in seconds. */
export interface NestThrottlerRecord {
  totalHits: number;
  timeToExpire: number;
  isBlocked: boolean;
  timeToBlockExpire: number;
}

/** A storage of @nestjs/throttler. */
export interface NestThrottlerStorage {
  increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<NestThrottlerRecord>;
}

/**
 * A storage for @nestjs/throttler. Exactly `limit` requests pass, also across processes. The
 * request that passes the limit blocks the key for `blockDuration`.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store.
 * @example
 * import kv from "anykv";
 * import { nestThrottlerStorage } from "anykv/with/nest-throttler";
 *
 * const storage = nestThrottlerStorage(kv(new Map()).prefix("limit:"));
 * // ThrottlerModule.forRoot({ throttlers: [{ ttl: 60_000, limit: 100 }], storage })
 * console.log((await storage.increment("ann", 60_000, 100, 60_000, "default")).totalHits); // 1
 */
export function nestThrottlerStorage(store: Store): NestThrottlerStorage {
  const limiter = createLimiter(store);
  return {
    async increment(key, ttl, limit, blockDuration, throttlerName) {
      const block = blockDuration > 0 ? { block: `${blockDuration}ms` } : {};
      const options = { max: limit, ...block };
      const hit = await limiter.hit(`${throttlerName}:${key}`, `${ttl}ms`, 1, options);
      const seconds = Math.max(0, Math.ceil((hit.resetAt - Date.now()) / 1000));
      return {
        totalHits: hit.count,
        timeToExpire: seconds,
        isBlocked: !hit.allowed,
        timeToBlockExpire: hit.allowed ? 0 : seconds,
      };
    },
  };
}
