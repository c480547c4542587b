import { KvError } from "../errors.ts";
import { deadline } from "../expires.ts";
import { checkOptions } from "../platform/options.ts";
import type { Expires } from "../types.ts";
import type { VersionedSetOptions } from "./types.ts";
import { isCounter } from "./value.ts";

/** The value of a key in the course of a transaction; `undefined` for none. */
export interface State {
  readonly value: unknown;
  readonly expires: Expires | undefined;
}

/** The changes of a transaction to one key. */
export interface Change {
  readonly text: string;
  /** Whether the result depends on the old value. */
  readonly isRelative: boolean;
  apply(before: State | undefined): State | undefined;
}

/**
 * The deadline that options name, as the store takes it; `undefined` for the store's own.
 *
 * @throws {KvError} KV_INVALID_EXPIRES for an invalid deadline, for an `expireIn` that is no whole
 * number from 0 or is given beside `expires`, and for invalid options.
 */
export function expiryOf(options: VersionedSetOptions = {}): Expires | undefined {
  checkOptions(options, ["expires", "expireIn"], "set()", "KV_INVALID_EXPIRES");
  const { expires, expireIn } = options;
  if (
    expireIn !== undefined &&
    (!Number.isSafeInteger(expireIn) || expireIn < 0 || expires !== undefined)
  ) {
    throw new KvError(
      "KV_INVALID_EXPIRES",
      '"expireIn" is a whole number of milliseconds from 0, and stands alone: "expires" takes ' +
        "seconds, texts and dates",
    );
  }
  const found = expireIn === undefined ? expires : expireIn / 1000;
  deadline(found, Date.now());
  return found;
}

/** A change to a counter, which begins with the operand. @throws {KvError} KV_INVALID_VALUE. */
export function counter(
  what: string,
  operand: unknown,
  combine: (stored: bigint) => bigint,
): Change["apply"] {
  if (!isCounter(operand))
    throw new KvError("KV_INVALID_VALUE", `${what}() takes a bigint from 0 to 2⁶⁴ − 1`);
  return (before) => {
    if (before === undefined) return { value: operand, expires: undefined };
    if (!isCounter(before.value))
      throw new KvError(
        "KV_INVALID_VALUE",
        `${what}() meets something else than a bigint from 0 to 2⁶⁴ − 1: set() replaces it`,
      );
    return { value: combine(before.value), expires: undefined };
  };
}
