import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("a suite (with 'odd' letters)", () => {
  it("fails for one of many", () => {
    fc.assert(
      fc.property(fc.nat(), (n) => n > 2 ** 31),
      { seed: 7 },
    );
  });
  it("passes", () => expect(1).toBe(1));
  it("fails: 1 + 1 = 3?", () => {
    throw new Error("the first line\nthe second line");
  });
});
