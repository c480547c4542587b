import * as fc from "fast-check";
import { expect, it } from "vitest";

import { runs } from "./support/runs.ts";
import { compareKeys } from "../src/record/utf8.ts";
import { prefixEnd } from "../src/prefix.ts";

it("is the next text at the last place that has one", () => {
  expect(prefixEnd("a")).toBe("b");
  expect(prefixEnd("user:")).toBe("user;");
  expect(prefixEnd("a\ud7ff")).toBe("a\ue000");
  expect(prefixEnd("a\uffff")).toBe("a\u{10000}");
  expect(prefixEnd("a\u{10ffff}\u{10ffff}")).toBe("b");
  expect(prefixEnd("🙂")).toBe("🙃");
  expect(prefixEnd("a\u{103ff}")).toBe("a\u{10400}");
});

it("is null where nothing can follow", () => {
  expect(prefixEnd("")).toBe(null);
  expect(prefixEnd("\u{10ffff}\u{10ffff}")).toBe(null);
});

it("parts every text with the prefix from every text behind them", () => {
  const char = fc.oneof(
    fc.constantFrom(
      "a",
      "\0",
      "\x7f",
      "\x80",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "\u{10000}",
      "\u{10ffff}",
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  const text = fc.array(char, { maxLength: 4 }).map((chars) => chars.join(""));
  const inside = fc.property(text, text, text, (prefix, rest, other) => {
    const end = prefixEnd(prefix);
    const isBefore = (key: string): boolean => end === null || compareKeys(key, end) < 0;
    const isInside = (key: string): boolean => compareKeys(key, prefix) >= 0 && isBefore(key);
    return (
      isInside(prefix + rest) &&
      isInside(other) === other.startsWith(prefix) &&
      (end === null || end.isWellFormed())
    );
  });
  expect(() => fc.assert(inside, { numRuns: runs(2000) })).not.toThrow();
});
