import type { Store } from "../../api.ts";
import { createLimiter, type Window } from "../../limit/limiter.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireStore } from "../../store/require-store.ts";

/** A count as express-rate-limit reads it. */
export interface ExpressRateLimitInfo {
  totalHits: number;
  resetTime: Date;
}

/** A store of express-rate-limit and of hono-rate-limiter. */
export interface ExpressRateLimitStore {
  readonly localKeys: false;
  readonly prefix: string;
  init(options: { readonly windowMs: number }): void;
  get(key: string): Promise<ExpressRateLimitInfo | undefined>;
  increment(key: string): Promise<ExpressRateLimitInfo>;
  decrement(key: string): Promise<void>;
  resetKey(key: string): Promise<void>;
  resetAll(): Promise<void>;
}

/** Options of {@link expressRateLimitStore}. */
export interface ExpressRateLimitOptions {
  /** A literal text before the keys of this limiter. Default `""`. */
  prefix?: string | undefined;
}

const infoOf = ({ count, resetAt }: Window): ExpressRateLimitInfo => ({
  totalHits: count,
  resetTime: new Date(resetAt),
});

/**
 * A store for express-rate-limit, and for hono-rate-limiter, which has the same contract. Make one
 * for each limiter, each with a prefix of its own.
 *
 * A request is counted in one step, also across processes: exactly `limit` requests pass. A key
 * never stays without a deadline. A failing store rejects: The option `passOnStoreError` of the
 * limiter decides then.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options.
 * @example
 * import kv from "anykv";
 * import { expressRateLimitStore } from "anykv/with/express-rate-limit";
 * import { rateLimit } from "express-rate-limit";
 *
 * const store = expressRateLimitStore(kv(new Map()), { prefix: "login:" });
 * const limiter = rateLimit({ windowMs: 15 * 60_000, limit: 100, store });
 * console.log(typeof limiter); // function
 */
export function expressRateLimitStore(
  store: Store,
  options: ExpressRateLimitOptions = {},
): ExpressRateLimitStore {
  checkOptions(options, ["prefix"], "expressRateLimitStore()");
  requireStore(store, "expressRateLimitStore()");
  const { prefix = "" } = options;
  const limiter = createLimiter(store.prefix(prefix));
  let window = "1m";
  return {
    localKeys: false,
    // It tells the keys of two limiters over one store apart.
    prefix: store.options.prefix + prefix,
    init: ({ windowMs }) => void (window = `${windowMs}ms`),
    async get(key) {
      const found = await limiter.peek(key);
      return found === null ? undefined : infoOf(found);
    },
    increment: async (key) => infoOf(await limiter.hit(key, window)),
    decrement: async (key) => void (await limiter.hit(key, window, -1)),
    resetKey: (key) => limiter.reset(key),
    resetAll: () => limiter.clear(),
  };
}
