import { expect, it } from "vitest";
import { deadline } from "../src/expires.ts";

const after = (expires: Parameters<typeof deadline>[0]): number => deadline(expires, 0)!;

it("reads every unit of the readme, singular and plural, in any case but M", () => {
  const units = {
    1: ["ms", "millisecond", "milliseconds"],
    1000: ["s", "sec", "secs", "second", "seconds"],
    60_000: ["m", "min", "mins", "minute", "minutes"],
    3_600_000: ["h", "hr", "hrs", "hour", "hours"],
    86_400_000: ["d", "day", "days"],
    604_800_000: ["w", "wk", "wks", "week", "weeks"],
    2_629_800_000: ["b", "month", "months"],
    31_557_600_000: ["y", "yr", "yrs", "year", "years"],
  };
  for (const [ms, names] of Object.entries(units)) {
    for (const name of names) {
      expect(after(`2${name}`), name).toBe(2 * Number(ms));
      if (name !== "m") expect(after(`2 ${name.toUpperCase()}`), name).toBe(2 * Number(ms));
    }
  }
});

it("rounds fractions of a millisecond up, so that a short time is never none", () => {
  expect(after("0.4ms")).toBe(1);
  expect(after(0.0001)).toBe(1);
  expect(after(0.1)).toBe(100);
});

it("takes 0, null, undefined and moments", () => {
  expect(deadline(0, 5)).toBe(5);
  expect(deadline(null, 5)).toBe(null);
  expect(deadline(undefined, 5)).toBe(null);
  expect(deadline(new Date(7), 5)).toBe(7);
  expect(deadline(-1e300, 5)).toBeLessThan(5);
});

it("groups digits by _ and by , only where they group", () => {
  expect(after("1_000ms")).toBe(1000);
  expect(after("1,000ms")).toBe(1000);
  expect(after("1,234,567ms")).toBe(1_234_567);
  for (const text of ["1,5h", "10,00s", ",100s", "1_s", "1,0000s"])
    expect(() => after(text), text).toThrow(/expires cannot be/);
});

it("adds up the parts of a duration, of which each has a unit", () => {
  for (const text of ["1h30m", "1h 30m", "1 hour 30 minutes", "1H30min", "30m1h", "90m"]) {
    expect(after(text), text).toBe(5_400_000);
  }
  expect(after("1d2h3m4.5s6ms")).toBe(93_784_506);
  expect(after("1,000s1_000ms")).toBe(1_001_000);
  for (const text of ["1h30", "1 30m", "1h,30m", "1h  30m", "1h and 30m", "1h-30m", "PT1H30M"]) {
    expect(() => after(text), text).toThrow(/expires cannot be/);
  }
});

it("rejects M, which could be a month or a minute", () => {
  for (const text of ["1M", "1 M", "1h30M"]) {
    expect(() => after(text), text).toThrow(
      `${JSON.stringify(text)}: write "1m" for a minute, "1 month" for a month`,
    );
  }
  expect(after("1MS")).toBe(1);
  expect(after("1 MONTH")).toBe(2_629_800_000);
});

it("rejects a bare number that looks like a moment, and names the Date to pass", () => {
  const seconds =
    "expires cannot be 1893456000: a number is seconds from now, a moment is a Date: " +
    "new Date(1893456000000)";
  const ms =
    "expires cannot be 1893456000000: a number is seconds from now, a moment is a Date: " +
    "new Date(1893456000000)";
  expect(() => after(1_893_456_000)).toThrow(seconds);
  for (const text of ["1893456000", "1,893,456,000", "1893456000.5"]) {
    expect(() => after(text), text).toThrow("pass seconds");
  }
  expect(() => after(1_893_456_000_000)).toThrow(ms);
  expect(() => after(1e9)).toThrow(/a moment is a Date/);
  expect(after(1e9 - 1)).toBe(1e12 - 1000);
  expect(after("1893456000s")).toBe(1_893_456_000_000);
  expect(after("60 years")).toBe(1_893_456_000_000);
});

it("names the refused value and the code to write", () => {
  expect(() => after("10 minuts")).toThrow(
    'expires cannot be "10 minuts": pass seconds, a string like "10s", "2 minutes" or ' +
      '"1h30m", a Date up to the year 9999, or null for never',
  );
});

it("reads a text without a unit as seconds", () => {
  expect(after("10")).toBe(10_000);
  expect(after(" 1.5 ")).toBe(1500);
  expect(() => after("1e9")).toThrow(/expires cannot be/);
});

it("ends with the year 9999", () => {
  const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
  expect(after(new Date(last))).toBe(last);
  expect(() => after(new Date(last + 1))).toThrow(/up to the year 9999/);
  expect(deadline(1, last - 1000)).toBe(last);
  expect(() => deadline(1, last - 999)).toThrow(/expires cannot be 1:/);
  expect(() => after(new Date(-Infinity))).toThrow(/expires cannot be this object/);
});

it("says which moment a large number is", () => {
  const advised = "a number is seconds from now, a moment is a Date: new Date(";
  expect(() => after(1_893_456_000)).toThrow(`${advised}1893456000000)`);
  expect(() => after(1_893_456_000_000)).toThrow(`${advised}1893456000000)`);
  const last = 253_402_300_799_999;
  expect(() => after(last)).toThrow(`${advised}${last})`);
  expect(() => after(last + 1)).toThrow(/pass seconds/);
  // The last number of seconds that is a moment, and the first one that is milliseconds.
  expect(() => after(253_402_300_799)).toThrow(`${advised}253402300799000)`);
  expect(() => after(253_402_300_800)).toThrow(`${advised}253402300800)`);
});

it("names the given value", () => {
  expect(() => after("soon" as never)).toThrow('expires cannot be "soon": pass seconds');
  expect(() => after(Number.NaN)).toThrow("expires cannot be NaN: pass seconds");
  expect(() => after(true as never)).toThrow("expires cannot be this boolean: pass seconds");
  expect(() => after({} as never)).toThrow("expires cannot be this object: pass seconds");
});
