import { KvError } from "../errors.ts";
import { milliseconds } from "../expires.ts";

/** Timers count no further. */
const LONGEST = 2 ** 31 - 1;

/**
 * The milliseconds of an option that is a duration: seconds, or a string such as `"500ms"`.
 *
 * @param most the largest bare number, in seconds. A larger one probably means milliseconds.
 * @param least the shortest duration, in milliseconds.
 * @throws {KvError} KV_INVALID_VALUE for anything else.
 */
export function durationOf(name: string, value: unknown, most: number, least: number = 1): number {
  if (typeof value === "number" && Number.isFinite(value) && value > most) {
    throw new KvError(
      "KV_INVALID_VALUE",
      `"${name}" is in seconds, and ${value} seconds is too long: write "${value}ms" for ` +
        `milliseconds, or "${value}s" for seconds`,
    );
  }
  const ms = Math.ceil(milliseconds(value));
  if (ms >= least && ms <= LONGEST) return ms;
  throw new KvError(
    "KV_INVALID_VALUE",
    `"${name}" is a duration: seconds up to ${most}, or a string like "500ms" or "2m"`,
  );
}

/** The largest number of seconds of an `interval`, in every API. */
export const MOST_INTERVAL = 60;
