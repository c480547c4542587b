import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { limited } from "./reply.ts";

/** The limits of a token. Each may be `Infinity`. */
export interface Limits {
  /** The most bytes of a value's JSON, and of its metadata's. Default 16,384. */
  valueBytes?: number;
  /** The most bytes of a request. Default 1,048,576. */
  bodyBytes?: number;
  /**
   * How many requests of a token are taken in a second on average; as many may come at once.
   * Default: any number.
   */
  requestsPerSecond?: number;
  /**
   * How many keys may be read and written in a space in a calendar month (UTC). A request without
   * any counts as one. Default: any number.
   */
  operationsPerMonth?: number;
  /**
   * How many bytes the keys, values, metadata and remembered commit ids of a space may take
   * together. Default: any number.
   */
  storageBytes?: number;
  /** How many event streams a token may have open at once. Default 100. */
  streams?: number;
}

/**
 * The free tier of OWN3D's Key-Value Store as {@link Limits}: 10,000 operations a month and 10 MB.
 *
 * @example
 * import { FREE_TIER } from "anykv/http";
 *
 * console.log(FREE_TIER); // { operationsPerMonth: 10_000, storageBytes: 10_000_000 }
 */
export const FREE_TIER: Limits = { operationsPerMonth: 10_000, storageBytes: 10_000_000 };

const DEFAULTS: Required<Limits> = {
  valueBytes: 16_384,
  bodyBytes: 1_048_576,
  requestsPerSecond: Infinity,
  operationsPerMonth: Infinity,
  storageBytes: Infinity,
  streams: 100,
};

/**
 * The limits, with missing ones taken from others, or from the defaults.
 *
 * @throws {KvError} KV_INVALID_VALUE for a limit of another name, or that is no number above 0.
 */
export function limitsOf(
  limits: Limits = {},
  others: Required<Limits> = DEFAULTS,
): Required<Limits> {
  checkOptions(limits, Object.keys(DEFAULTS), "limits");
  const all = { ...others, ...limits };
  for (const [name, limit] of Object.entries(all)) {
    if (!(typeof limit === "number" && limit > 0))
      throw new KvError("KV_INVALID_VALUE", `the limit "${name}" is a number above 0, or Infinity`);
  }
  return all;
}

/** The requests that a token has left: they fill up as time passes. */
export class Rate {
  readonly #perSecond: number;
  #left: number;
  #at: number = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = Math.max(1, perSecond);
  }

  /** @throws {KvError} KV_RATE_LIMITED when none is left. */
  take(): void {
    if (this.#perSecond === Infinity) return;
    const now = performance.now();
    this.#left = Math.min(
      Math.max(1, this.#perSecond),
      this.#left + ((now - this.#at) / 1000) * this.#perSecond,
    );
    this.#at = now;
    if (this.#left < 1)
      throw limited(
        `more than ${this.#perSecond} requests a second`,
        (1 - this.#left) / this.#perSecond,
      );
    this.#left--;
  }
}
