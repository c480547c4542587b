import * as fc from "fast-check";
import { expect, it } from "vitest";
import { fileName, isHashed, keyOf, mayStartWith } from "../../../src/clients/folder/names.ts";
import { runs } from "../../support/runs.ts";

const key = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom(
      "a",
      "A",
      "é",
      "e\u0301",
      "%",
      "~",
      ".",
      "4",
      "1",
      "/",
      "\\",
      " ",
      "con",
      "nul",
    ),
    minLength: 1,
    maxLength: 150,
  }),
);

it("keeps plain lower-case keys readable", () => {
  expect(fileName("session-1_a.b")).toBe("session-1_a.b.json");
  expect(fileName("user:1")).toBe("user%3a1.json");
});

it("gives every two keys two names, also where case and composition do not count", () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      fc.pre(a !== b);
      expect(fileName(a).toLowerCase().normalize("NFC")).not.toBe(
        fileName(b).toLowerCase().normalize("NFC"),
      );
    }),
    { numRuns: runs(2000) },
  );
});

it("makes names that every file system takes", () => {
  fc.assert(
    fc.property(key, (key) => {
      const name = fileName(key);
      expect(name).toMatch(/^[a-z0-9_%-][a-z0-9._%~-]*\.json$/);
      expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)\./i);
      expect(name.length).toBeLessThanOrEqual(117);
    }),
    { numRuns: runs(2000) },
  );
});

it("reads the key back from every name that is not hashed, and from no other text", () => {
  fc.assert(
    fc.property(key, (key) => {
      const name = fileName(key);
      expect(keyOf(name)).toBe(isHashed(name) ? null : key);
    }),
    { numRuns: runs(2000) },
  );
  for (const stray of [
    ".json",
    "a",
    "A.json",
    "%41%.json",
    "100%.json",
    "%4A.json",
    "%61.json",
    "con.json",
    ".hidden.json",
    "%ff.json",
    "a.JSON",
    "~x.json",
    "a b.json",
  ]) {
    expect([stray, keyOf(stray)]).toEqual([stray, null]);
  }
});

it("hashes long keys, and tells different long keys apart", () => {
  const long = "x".repeat(300);
  expect(isHashed(fileName(long))).toBe(true);
  expect(fileName(long)).not.toBe(fileName(`${long}x`));
  expect(fileName("😀".repeat(128)).length).toBeLessThan(120);
  expect(isHashed(fileName("x".repeat(110)))).toBe(false);
});

it("never says that a key is not under its prefix, and mostly that others are not", () => {
  fc.assert(
    fc.property(key, fc.nat(), (key, cut) => {
      const prefix = Array.from(key)
        .slice(0, cut % 10)
        .join("");
      expect(mayStartWith(fileName(key), prefix)).toBe(true);
    }),
    { numRuns: runs(2000) },
  );
  expect(mayStartWith(fileName("b1"), "a")).toBe(false);
  expect(mayStartWith(fileName(`b${"x".repeat(300)}`), "a")).toBe(false);
  expect(mayStartWith("100%.json", "")).toBe(false);
});
