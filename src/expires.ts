import { KvError, type KvErrorCode } from "./errors.ts";
import type { Expires } from "./types.ts";

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;
// The Julian year, as the names of the longer units are commonly read.
const YEAR = 365.25 * DAY;

const UNITS: ReadonlyMap<string, number> = new Map(
  [
    ["ms millisecond milliseconds", 1],
    ["s sec secs second seconds", SECOND],
    ["m min mins minute minutes", 60 * SECOND],
    ["h hr hrs hour hours", 3600 * SECOND],
    ["d day days", DAY],
    ["w wk wks week weeks", 7 * DAY],
    ["b month months", YEAR / 12],
    ["y yr yrs year years", YEAR],
  ].flatMap(([names, ms]) => (names as string).split(" ").map((name) => [name, ms as number] as const)),
);

// "10", "1_000", "1,000", "0.5", ".5", then an optional unit. A comma only groups by three, so that "1,5h" is refused.
const DURATION = /^((?:\d+(?:_\d+)*|\d{1,3}(?:,\d{3})+)(?:\.\d+)?|\.\d+) ?([a-z]*)$/;

/** 9999-12-31T23:59:59.999Z */
const LATEST = 253_402_300_799_999;

/** The moment of a Date, of any realm; `NaN` for any other object. */
function momentOf(date: object): number {
  try {
    return Date.prototype.getTime.call(date);
  } catch {
    return NaN;
  }
}

/** How long a duration is; `NaN` for anything else. */
export function milliseconds(expires: unknown): number {
  if (typeof expires === "number") return expires * SECOND;
  if (typeof expires !== "string") return NaN;
  const [, amount, unit] = DURATION.exec(expires.trim().toLowerCase()) ?? [];
  if (amount === undefined) return NaN;
  return Number(amount.replace(/[_,]/g, "")) * (UNITS.get(unit || "s") ?? NaN);
}

/**
 * The deadline in epoch milliseconds that an `expires` option means at the moment `now`; `null` for never.
 * A deadline at or before `now` means "expired already". Fractions of a millisecond are rounded up.
 *
 * Units, singular or plural, in any case: ms millisecond · s sec second · m min minute · h hr hour · d day · w wk week ·
 * b month (a twelfth of a year) · y yr year (365.25 days).
 *
 * @throws {KvError} KV_INVALID_EXPIRES for anything unreadable, not finite, or beyond the year 9999.
 */
export function deadline(expires: Expires | undefined, now: number): number | null {
  if (expires === null || expires === undefined) return null;
  const at = typeof expires === "object" ? momentOf(expires) : Math.ceil(now + milliseconds(expires));
  if (!(at <= LATEST) || at === -Infinity) {
    throw new KvError(
      "KV_INVALID_EXPIRES",
      `expires cannot be ${typeof expires === "string" ? JSON.stringify(expires) : typeof expires === "number" ? expires : `this ${typeof expires}`}: pass seconds, a text like "10s", "2 minutes" or "5d", a Date up to the year 9999, or null for never`,
    );
  }
  return at;
}

/**
 * A duration or a `Date` in place of the options would mean "never" by mistake, a prefix "everything", a limit "all".
 *
 * @throws {KvError} KV_INVALID_EXPIRES, or the code that is given with another example, for anything but an object or `undefined`.
 */
export function checkOptions(options: unknown, example: string = 'expires: "1h"', code: KvErrorCode = "KV_INVALID_EXPIRES"): void {
  if (options !== undefined && (Object(options) !== options || options instanceof Date)) throw new KvError(code, `the options are an object: { ${example} }`);
}
