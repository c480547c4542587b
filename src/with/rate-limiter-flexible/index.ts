import type { Store } from "../../api.ts";
import { remove } from "../../atomic/update.ts";
import { createLimiter, type Window } from "../../limit/limiter.ts";
import { requireStore } from "../../store/require-store.ts";

/** The classes of rate-limiter-flexible that are used. */
export interface FlexibleClasses {
  /** The default export of `rate-limiter-flexible/lib/RateLimiterStoreAbstract.js`. */
  // Each member belongs to the package.
  readonly RateLimiterStoreAbstract: new (options: never) => object;
  readonly RateLimiterRes: new (
    remainingPoints?: number,
    msBeforeNext?: number,
    consumedPoints?: number,
    isFirstInDuration?: boolean,
  ) => object;
}

/** Options of a limiter of rate-limiter-flexible: those that the package documents. */
export interface FlexibleOptions {
  readonly points?: number | undefined;
  readonly duration?: number | undefined;
  readonly [name: string]: unknown;
}

// A hit gives a window to a key without a deadline: a block would end with it.
const NEVER = Date.UTC(2200, 0);

/** The members that a limiter has to have, over a store. */
class Points {
  readonly #store: Store;
  readonly #peek: (key: string) => Promise<Window | null>;
  readonly #hit: (key: string, ms: number, by: number) => Promise<Window>;

  constructor(store: Store) {
    const limiter = createLimiter(store);
    this.#store = store;
    this.#peek = limiter.peek;
    this.#hit = (key, ms, by) => limiter.hit(key, `${ms}ms`, by);
  }

  async upsert(key: string, points: number, ms: number, isSet: boolean): Promise<Window> {
    const now = Date.now();
    // A duration of 0 never ends.
    const resetAt = ms > 0 ? now + ms : NEVER;
    if (!isSet) return this.#hit(key, resetAt - now, points);
    await this.#store.set(key, points, { expires: new Date(resetAt) });
    return { count: points, resetAt };
  }

  get(key: string): Promise<Window | null> {
    return this.#peek(key);
  }

  delete(key: string): Promise<boolean> {
    return remove(this.#store, key);
  }
}

/**
 * A limiter of rate-limiter-flexible over a store: `consume`, `penalty`, `reward`, `block`, `get`,
 * `set` and `delete` of that package.
 *
 * @param classes `RateLimiterRes` of the package, and its base class, which it does not export by
 * name: `import RateLimiterStoreAbstract from
 * "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js"`.
 * @param options the options of the package: `points`, `duration`, `blockDuration`, `keyPrefix`…
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store.
 * @example
 * import kv from "anykv";
 * import { flexibleRateLimiter } from "anykv/with/rate-limiter-flexible";
 * import { RateLimiterRes } from "rate-limiter-flexible";
 * import RateLimiterStoreAbstract from "rate-limiter-flexible/lib/RateLimiterStoreAbstract.js";
 *
 * const classes = { RateLimiterStoreAbstract, RateLimiterRes };
 * const limiter = flexibleRateLimiter(classes, kv(new Map()), { points: 5, duration: 60 });
 * console.log((await limiter.consume("ann")).remainingPoints); // 4
 */
export function flexibleRateLimiter<Classes extends FlexibleClasses>(
  { RateLimiterStoreAbstract, RateLimiterRes }: Classes,
  store: Store,
  options: FlexibleOptions,
): InstanceType<Classes["RateLimiterStoreAbstract"]> {
  requireStore(store, "flexibleRateLimiter()");
  const points = new Points(store);
  class StoredLimiter extends (RateLimiterStoreAbstract as new (options: object) => {
    readonly points?: number;
  }) {
    _upsert(key: string, by: number, ms: number, isSet = false): Promise<Window> {
      return points.upsert(key, by, ms, isSet);
    }
    _get(key: string): Promise<Window | null> {
      return points.get(key);
    }
    _delete(key: string): Promise<boolean> {
      return points.delete(key);
    }
    _getRateLimiterRes(_key: string, changed: number, { count, resetAt }: Window): object {
      const left = Math.max(0, (this.points ?? 0) - count);
      const ms = resetAt >= NEVER ? -1 : Math.max(0, resetAt - Date.now());
      return new RateLimiterRes(left, ms, count, count === changed);
    }
  }
  return new StoredLimiter(options) as InstanceType<Classes["RateLimiterStoreAbstract"]>;
}
