import { KvError } from "./errors.ts";
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
  ].flatMap(([names, ms]) =>
    (names as string).split(" ").map((name) => [name, ms as number] as const),
  ),
);

// "10", "1_000", "1,000", "0.5" or ".5", then an optional unit. Commas only group by three digits.
const PART = /((?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)(?:\.\d+)?|\.\d+) ?([a-z]*) ?/gi;

/** From this many seconds on, about 31 years, a bare number is a moment and not a duration. */
const MOMENT = 1e9;

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

// Most stores write the same expiry again and again.
let last: readonly [text: string, ms: number] = ["", NaN];

/** The milliseconds of a duration; `NaN` for anything else. */
export function milliseconds(duration: unknown): number {
  if (typeof duration === "number") return duration < MOMENT ? duration * SECOND : NaN;
  if (typeof duration !== "string") return NaN;
  if (duration !== last[0]) last = [duration, parse(duration.trim())];
  return last[1];
}

/** The milliseconds of a number alone, which is seconds, or of parts that all have a unit. */
function parse(text: string): number {
  const parts = [...text.matchAll(PART)];
  if (text === "" || parts.map(([part]) => part).join("") !== text) return NaN;
  return parts.reduce((sum, [, amount, unit]) => {
    const number = Number(amount!.replace(/[_,]/g, ""));
    if (unit === "" && parts.length === 1) return milliseconds(number);
    // An upper-case M is a month to some and a minute to others.
    const ms = unit === "M" ? undefined : UNITS.get(unit!.toLowerCase());
    return sum + number * (ms ?? NaN);
  }, 0);
}

/** The deadline that {@link deadline} gives; `NaN` where that throws. */
export function deadlineOf(expires: Expires | undefined, now: number): number | null {
  if (expires === null || expires === undefined) return null;
  const at =
    typeof expires === "object" ? momentOf(expires) : Math.ceil(now + milliseconds(expires));
  return at <= LATEST && at !== -Infinity ? at : NaN;
}

/** Advice for an expiry that cannot be read. */
function advice(expires: unknown): string {
  if (typeof expires === "number" && expires >= MOMENT && expires <= LATEST) {
    const moment = expires > LATEST / SECOND ? expires : expires * SECOND;
    return `a number is seconds from now, a moment is a Date: new Date(${moment})`;
  }
  if (typeof expires === "string" && /\d ?M(?![A-Za-z])/.test(expires))
    return 'write "1m" for a minute, "1 month" for a month';
  return (
    'pass seconds, a string like "10s", "2 minutes" or "1h30m", a Date up to the year ' +
    "9999, or null for never"
  );
}

/**
 * The deadline in epoch milliseconds that an `expires` option means at the moment `now`; `null` for
 * never. A deadline at or before `now` means "expired already". Fractions of a millisecond are
 * rounded up.
 *
 * Units, singular or plural, in any case: ms millisecond · s sec second · m min minute · h hr hour
 * · d day · w wk week · b month (a twelfth of a year) · y yr year (365.25 days). `"M"` alone is
 * rejected. Parts with units add up: `"1h30m"`.
 *
 * @throws {KvError} KV_INVALID_EXPIRES for anything unreadable, not finite, or beyond the year
 * 9999, and for a bare number from 1e9 on, which is a moment in seconds or milliseconds and not a
 * duration.
 */
export function deadline(expires: Expires | undefined, now: number): number | null {
  const at = deadlineOf(expires, now);
  if (!Number.isNaN(at)) return at;
  const given =
    typeof expires === "string"
      ? JSON.stringify(expires)
      : typeof expires === "number"
        ? expires
        : `this ${typeof expires}`;
  throw new KvError("KV_INVALID_EXPIRES", `expires cannot be ${given}: ${advice(expires)}`);
}
