import { KvError } from "../errors.ts";
import { milliseconds } from "../expires.ts";

/** Beyond this many milliseconds a timer fires at once. */
export const LONGEST: number = 2 ** 31 - 1;

/** The most seconds that a bare number may mean: larger ones were meant as milliseconds. */
const MOST_SECONDS = 600;

/**
 * A `timeout` option in milliseconds; `Infinity` for none (`0` or `null`). Default 5 s.
 *
 * @throws {KvError} KV_INVALID_EXPIRES for anything that is no duration, and for a bare number
 * above 600.
 */
export function timeoutOf(timeout: number | string | null | undefined): number {
  const ms =
    timeout === undefined
      ? 5000
      : timeout === null || timeout === Infinity
        ? 0
        : milliseconds(timeout);
  if (!(ms >= 0))
    throw new KvError(
      "KV_INVALID_EXPIRES",
      'timeout is a duration: seconds, a string like "2s", or 0 for none',
    );
  if (typeof timeout === "number" && ms > MOST_SECONDS * 1000) {
    throw new KvError(
      "KV_INVALID_EXPIRES",
      `timeout: ${timeout} would be ${timeout} seconds. Write "${timeout}ms" for milliseconds, ` +
        `or "${timeout}s"`,
    );
  }
  return ms > 0 && ms <= LONGEST ? Math.ceil(ms) : Infinity;
}
