import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DeadlineTimer } from "../../../src/store/watch/deadlines.ts";

const T = 1_900_000_000_000;
beforeEach(() => void vi.useFakeTimers({ now: T }));
afterEach(() => void vi.useRealTimers());

function timer() {
  const reached: string[] = [];
  const deadlines = new DeadlineTimer((keys) => reached.push(...keys));
  return { deadlines, reached };
}

it("keeps no more entries than twice its deadlines, however often they move", () => {
  const { deadlines, reached } = timer();
  for (let i = 0; i < 10; i++) deadlines.set(`k${i}`, T + 5000 + i);
  for (let i = 0; i < 10_000; i++) {
    deadlines.set("moving", T + 1000 + i);
    deadlines.set(`gone ${i}`, T + 60_000);
    deadlines.set(`gone ${i}`, null);
    expect(deadlines.size).toBeLessThanOrEqual(2 * 12 + 64);
  }
  vi.advanceTimersByTime(5010);
  expect(reached).toEqual(Array.from({ length: 10 }, (_, i) => `k${i}`));
  vi.advanceTimersByTime(60_000);
  expect(reached.at(-1)).toBe("moving");
  expect(reached.length).toBe(11);
});

it("reports deadlines in their order, whatever order they were set in", () => {
  const { deadlines, reached } = timer();
  const order = Array.from({ length: 500 }, (_, i) => (i * 7919) % 500);
  for (const i of order) deadlines.set(`k${i}`, T + 100 + i);
  for (const i of order) if (i % 3 === 0) deadlines.set(`k${i}`, null);
  for (const i of order) if (i % 3 === 1) deadlines.set(`k${i}`, T + 1000 - i);
  vi.advanceTimersByTime(2000);
  const kept = order.filter((i) => i % 3 !== 0);
  const at = (i: number): number => (i % 3 === 1 ? 1000 - i : 100 + i);
  const times = reached.map((key) => at(Number(key.slice(1))));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(new Set(reached)).toEqual(new Set(kept.map((i) => `k${i}`)));
  expect(reached.length).toBe(kept.length);
});

it("reports nothing after clear()", () => {
  const { deadlines, reached } = timer();
  deadlines.set("a", T + 10);
  deadlines.clear();
  vi.advanceTimersByTime(100);
  expect(reached).toEqual([]);
});
