import { describe, expect, it } from "vitest";

describe("a suite (with 'odd' letters)", () => {
  it("passes", () => expect(1).toBe(1));
  it("fails: 1 + 1 = 3?", () => {
    throw new Error("the first line\nthe second line");
  });
});
