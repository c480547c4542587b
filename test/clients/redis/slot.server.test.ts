import { expect, it } from "vitest";
import { bySlot, slotOf } from "../../../src/clients/redis/slot.ts";

it("gives the slots of the specification", () => {
  expect(slotOf("123456789")).toBe(0x31c3);
  expect(slotOf("foo")).toBe(12182);
  expect(slotOf("{user1000}.following")).toBe(slotOf("user1000"));
  expect(slotOf("foo{}{bar}")).not.toBe(slotOf("bar"));
  expect(slotOf("foo{{bar}}zap")).toBe(slotOf("{bar"));
  expect(slotOf("foo{bar}{zap}")).toBe(slotOf("bar"));
});

it("groups keys, and loses none", () => {
  const keys = Array.from({ length: 500 }, (_, i) => `{${i % 7}}${i}`);
  const groups = bySlot(keys);
  expect(groups.length).toBe(7);
  expect(groups.flat().sort((a, b) => a - b)).toEqual(keys.map((_, i) => i));
  for (const group of groups)
    expect(new Set(group.map((place) => slotOf(keys[place]!))).size).toBe(1);
});
