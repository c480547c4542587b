import fc from "fast-check";
import { expect, it } from "vitest";
import { fullKey } from "../../src/prefix.ts";
import { compareKeys, utf8Length } from "../../src/record/utf8.ts";

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
