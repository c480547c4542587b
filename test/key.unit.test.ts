import fc from "fast-check";
import { expect, it } from "vitest";
import { checkPrefix, fullKey, isKey } from "../src/prefix.ts";
import { compareKeys, utf8Length } from "../src/record/utf8.ts";

const text = fc.string({ unit: "binary" });
const bytes = (key: string): Buffer => Buffer.from(key);

it("counts the bytes of UTF-8", () => {
  fc.assert(fc.property(text, (key) => utf8Length(key) === bytes(key).length));
});

it("orders keys like their UTF-8 bytes", () => {
  fc.assert(
    fc.property(
      text,
      text,
      (a, b) => Math.sign(compareKeys(a, b)) === Buffer.compare(bytes(a), bytes(b)),
    ),
  );
  expect(compareKeys("\uffff", "🎉")).toBeLessThan(0);
  expect(compareKeys("\ue000", "\ud7ff")).toBeGreaterThan(0);
  expect(compareKeys("🎉", "🎈")).toBeGreaterThan(0);
});

it("measures keys with their prefix, in bytes", () => {
  expect(fullKey("p:", "é".repeat(255), 512)).toHaveLength(257);
  expect(() => fullKey("p:", "é".repeat(256), 512)).toThrow(
    "the key has 514 bytes with its prefix: this client takes up to 512",
  );
});

it("names the fault of a key or a prefix", () => {
  const wrong: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [5, "of the type number"],
    [{}, "of the type object"],
    ["a\ud800", "a text with a lone surrogate"],
  ];
  for (const [given, what] of wrong) {
    expect(() => fullKey("", given, Infinity)).toThrow(
      `a key cannot be ${what}: pass a non-empty, well-formed string`,
    );
    expect(() => checkPrefix(given)).toThrow(
      `a prefix cannot be ${what}: pass a well-formed string`,
    );
  }
  expect(() => fullKey("", "", Infinity)).toThrow("a key cannot be empty: pass a non-empty");
  expect(checkPrefix("")).toBe("");
  expect(checkPrefix("a:")).toBe("a:");
});

it("takes keys for valid that need no count of their bytes", () => {
  expect(isKey("a", "", Infinity)).toBe(true);
  expect(isKey("a", "p:", 9)).toBe(true);
  expect(isKey("ab", "p:", 11)).toBe(false);
  for (const key of ["", 5, null, undefined, "a\udc00", `${"a".repeat(60)}\ud800`])
    expect(isKey(key, "", Infinity)).toBe(false);
});

it("measures keys up to the last byte", () => {
  expect(fullKey("", "é".repeat(256), 512)).toHaveLength(256);
  expect(fullKey("", "a".repeat(512), 512)).toHaveLength(512);
  expect(() => fullKey("", "a".repeat(513), 512)).toThrow("the key has 513 bytes");
  expect(fullKey("p", "k", 512)).toBe("pk");
});
