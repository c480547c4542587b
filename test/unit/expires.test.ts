import { expect, it } from "vitest";
import { deadline } from "../../src/expires.ts";

const after = (expires: Parameters<typeof deadline>[0]): number => deadline(expires, 0)!;

it("reads every unit of the readme, singular and plural, in any case", () => {
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
      expect(after(`2 ${name.toUpperCase()}`), name).toBe(2 * Number(ms));
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
  for (const text of ["1,5h", "10,00s", ",100s", "1_s", "1,0000s"]) expect(() => after(text), text).toThrow(/expires cannot be/);
});

it("says what was refused and what to pass", () => {
  expect(() => after("10 minuts")).toThrow('expires cannot be "10 minuts": pass seconds, a text like "10s", "2 minutes" or "5d", a Date up to the year 9999, or null for never');
});
