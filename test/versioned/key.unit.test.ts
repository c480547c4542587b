import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  decodeKey,
  encodeKey,
  encodePrefix,
  type Key,
  type KeyPart,
} from "../../src/versioned/key.ts";
import { runs } from "../support/runs.ts";
import { compareKeys } from "../../src/record/utf8.ts";

const RANK = ["object", "string", "bigint", "number", "boolean"];
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
};
/** -Infinity … -0, 0 … Infinity, NaN. */
const compareNumbers = (a: number, b: number): number => {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : Number(Object.is(b, -0)) - Number(Object.is(a, -0));
};

/** The order that the contract asks for, said as plainly as can be. */
function compareParts(a: KeyPart, b: KeyPart): number {
  const rank = RANK.indexOf(typeof a) - RANK.indexOf(typeof b);
  if (rank !== 0) return rank;
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  if (typeof a === "string") return compareBytes(bytesOf(a), bytesOf(b as string));
  if (typeof a === "number") return compareNumbers(a, b as number);
  return a < (b as bigint | boolean) ? -1 : a > (b as bigint | boolean) ? 1 : 0;
}
function compare(a: Key, b: Key): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const found = compareParts(a[i]!, b[i]!);
    if (found !== 0) return found;
  }
  return a.length - b.length;
}

const part = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      "\0",
      " ",
      "!",
      '"',
      "C",
      "~",
      "}",
      "\u007f",
      "é",
      "\uffff",
      "🎉",
      "\u{10ffff}",
    ),
  }),
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, -5e-324, Number.MAX_VALUE),
  fc.bigInt(),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: -(2n ** 2039n), max: 2n ** 2039n }),
  fc.boolean(),
  fc.uint8Array({ maxLength: 12 }),
);
const key = fc.array(part, { minLength: 1, maxLength: 4 });

describe("the texts of keys", () => {
  it("come back as the same key", () => {
    fc.assert(
      fc.property(key, (parts) => void expect(decodeKey(encodeKey(parts))).toEqual(parts)),
      { numRuns: runs(3000) },
    );
  });

  it("sort as keys do, and are different for different keys", () => {
    fc.assert(
      fc.property(
        key,
        key,
        (a, b) =>
          void expect(Math.sign(compareKeys(encodeKey(a), encodeKey(b)))).toBe(
            Math.sign(compare(a, b)),
          ),
      ),
      { numRuns: runs(5000) },
    );
    // Keys that share a beginning are where order goes wrong.
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 2 }),
        part,
        part,
        fc.array(part, { maxLength: 2 }),
        (before, a, b, behind) => {
          const [x, y] = [
            [...before, a],
            [...before, b, ...behind],
          ];
          expect(Math.sign(compareKeys(encodeKey(x), encodeKey(y)))).toBe(Math.sign(compare(x, y)));
        },
      ),
      { numRuns: runs(5000) },
    );
  });

  it("begin with the text of their prefix exactly when they have more parts behind it", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 2 }), key, (prefix, other) => {
        expect(encodeKey([...prefix, ...other]).startsWith(encodePrefix(prefix))).toBe(true);
        if (prefix.length > 0)
          expect(encodeKey(prefix as KeyPart[]).startsWith(encodePrefix(prefix))).toBe(false);
        const isUnder =
          other.length > prefix.length &&
          prefix.every((each, i) => compareParts(each, other[i]!) === 0);
        expect(encodeKey(other).startsWith(encodePrefix(prefix))).toBe(isUnder);
      }),
      { numRuns: runs(3000) },
    );
  });

  it("are readable for plain strings", () => {
    expect(encodeKey(["users", "1"])).toBe("users 1");
    expect(encodeKey(["users_by_email", "ann@example.com"])).toBe("users_by_email ann@example.com");
    expect(encodeKey(["Ann Smith", "a/b"])).toBe("Ann!BSmith a/b");
    expect(encodeKey(["", ""])).toBe("!!~ !!~");
  });

  it("take bytes as a view of any kind shows them", () => {
    const { buffer } = Uint8Array.of(9, 1, 2, 9);
    expect(encodeKey([new DataView(buffer, 1, 2)])).toBe(encodeKey([Uint8Array.of(1, 2)]));
  });

  it.each([
    [[]],
    ["a"],
    [null],
    [undefined],
    [{}],
    [[null]],
    [[undefined]],
    [[new Date()]],
    [[["a"]]],
    [[Symbol("a")]],
    [[new ArrayBuffer(1)]],
    [["\ud800"]],
    [Array(1)],
  ])("refuse %j", (wrong) => {
    expect(() => encodeKey(wrong)).toThrow(expect.objectContaining({ code: "KV_INVALID_KEY" }));
  });

  it("refuse bigints of more than 255 bytes", () => {
    expect(decodeKey(encodeKey([2n ** 2040n - 1n]))).toEqual([2n ** 2040n - 1n]);
    expect(() => encodeKey([2n ** 2040n])).toThrow(
      expect.objectContaining({ code: "KV_INVALID_KEY" }),
    );
  });

  it.each([
    "",
    " ",
    "a ",
    " a",
    "!",
    "!!!",
    "~",
    "~x",
    "~n",
    "~n0",
    "~b",
    "~t",
    "~tx",
    "~!",
    "~!a",
    "!!~a",
    "é",
    "a  b",
  ])("of no key are %j", (text) => {
    expect(decodeKey(text)).toBe(null);
  });
});
