import type { Store } from "../../api.ts";
import { createLimiter, type Limiter } from "../../limit/limiter.ts";
import { requireStore } from "../../store/require-store.ts";
import { callWith } from "../shared/callback.ts";

/** The options of the framework that matter here. */
interface Parameters {
  readonly continueExceeding?: boolean | undefined;
  readonly exponentialBackoff?: boolean | undefined;
  readonly routeInfo?:
    | { readonly method?: unknown; readonly url?: string | undefined }
    | null
    | undefined;
}

/** A count: `ttl` is the rest of the window in milliseconds. */
export interface FastifyRateLimitCount {
  current: number;
  ttl: number;
}

type Callback = (error: Error | null, result?: FastifyRateLimitCount) => void;

/** A store of @fastify/rate-limit. */
export interface FastifyRateLimitStore {
  incr(key: string, callback: Callback, timeWindow: number, max: number): void;
  read(key: string, callback: Callback): void;
  child(parameters: object): never;
}

/** The class that @fastify/rate-limit makes its stores of. */
export type FastifyRateLimitClass = new (parameters: object) => FastifyRateLimitStore;

/** How long a window may be: beyond it the years end that a deadline can have. */
const LONGEST = 1000 * 365 * 86_400_000;

class Counts {
  readonly #limiter: Limiter;
  readonly #parameters: Parameters;

  constructor(store: Store, parameters: Parameters) {
    this.#limiter = createLimiter(store);
    this.#parameters = parameters;
  }

  async count(key: string, timeWindow: number, max: number): Promise<FastifyRateLimitCount> {
    const { count, resetAt } = await this.#limiter.hit(key, `${timeWindow}ms`);
    const { continueExceeding, exponentialBackoff } = this.#parameters;
    const now = Date.now();
    if (count <= max || !(continueExceeding || exponentialBackoff))
      return { current: count, ttl: Math.max(0, resetAt - now) };
    // Requests above the limit start the window again.
    const times = continueExceeding ? 1 : 2 ** (count - max - 1);
    const ttl = Math.min(timeWindow * times, LONGEST);
    await this.#limiter.extend(key, new Date(now + ttl));
    return { current: count, ttl };
  }

  async look(key: string): Promise<FastifyRateLimitCount> {
    const found = await this.#limiter.peek(key);
    return found === null
      ? { current: 0, ttl: 0 }
      : { current: found.count, ttl: Math.max(0, found.resetAt - Date.now()) };
  }
}

/**
 * The class of a store for @fastify/rate-limit. Routes with options of their own are counted apart.
 * Exactly `max` requests pass, also across processes. With `continueExceeding` and
 * `exponentialBackoff`, a request above the limit takes a second step that moves the deadline.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store.
 * @example
 * import kv from "anykv";
 * import { fastifyRateLimitStore } from "anykv/with/fastify-rate-limit";
 * import rateLimit from "@fastify/rate-limit";
 * import fastify from "fastify";
 *
 * const store = fastifyRateLimitStore(kv(new Map()).prefix("limit:"));
 * const app = fastify();
 * await app.register(rateLimit, { max: 100, timeWindow: "1 minute", store });
 * console.log(typeof store); // function
 */
export function fastifyRateLimitStore(store: Store): FastifyRateLimitClass {
  requireStore(store, "fastifyRateLimitStore()");
  createLimiter(store);
  return class Counted implements FastifyRateLimitStore {
    readonly #store: Store;
    readonly #counts: Counts;

    constructor(parameters: object, own: Store = store) {
      this.#store = own;
      this.#counts = new Counts(own, parameters);
    }

    incr(key: string, callback: Callback, timeWindow: number, max: number): void {
      callWith(this.#counts.count(key, timeWindow, max), callback as never);
    }

    read(key: string, callback: Callback): void {
      callWith(this.#counts.look(key), callback as never);
    }

    child(parameters: object): never {
      const { method = "", url = "" } = (parameters as Parameters).routeInfo ?? {};
      const own = this.#store.prefix(`${String(method)}${url}-`);
      return new (Counted as new (...args: unknown[]) => Counted)(parameters, own) as never;
    }
  };
}
