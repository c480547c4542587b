import { expect, it } from "vitest";
import kv from "../../src/index.ts";
import { broken, historyOf } from "../support/jepsen.ts";
import { isLinearizable, type Operation } from "../support/linearizable.ts";

const write = (value: number, called: number, returned: number): Operation => ({
  kind: "write",
  value,
  called,
  returned,
});
const read = (value: number | null, called: number, returned: number): Operation => ({
  kind: "read",
  value,
  called,
  returned,
});
const swap = (
  expected: number | null,
  value: number,
  done: boolean,
  called: number,
  returned: number,
): Operation => ({ kind: "swap", expected, value, done, called, returned });

it("accepts answers that a register can give", () => {
  expect(isLinearizable([])).toBe(true);
  expect(isLinearizable([read(null, 0, 1), write(1, 2, 3), read(1, 4, 5)])).toBe(true);
  // The two overlap: either order will do.
  expect(isLinearizable([write(1, 0, 10), read(null, 1, 2), read(1, 3, 4)])).toBe(true);
  expect(isLinearizable([write(1, 0, 10), write(2, 1, 9), read(1, 11, 12)])).toBe(true);
  expect(
    isLinearizable([swap(null, 1, true, 0, 5), swap(null, 2, false, 1, 6), read(1, 7, 8)]),
  ).toBe(true);
  // Never answered: it may have happened or not.
  expect(isLinearizable([write(1, 0, Infinity), read(null, 1, 2)])).toBe(true);
  expect(isLinearizable([write(1, 0, Infinity), read(null, 1, 2), read(1, 3, 4)])).toBe(true);
});

it("refuses answers that no register can give", () => {
  expect(isLinearizable([write(1, 0, 1), read(null, 2, 3)])).toBe(false);
  expect(isLinearizable([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)])).toBe(false);
  expect(isLinearizable([write(1, 0, 10), read(1, 1, 2), read(null, 3, 4)])).toBe(false);
  expect(isLinearizable([swap(null, 1, true, 0, 5), swap(null, 2, true, 1, 6)])).toBe(false);
  expect(isLinearizable([write(1, 0, 1), swap(1, 2, false, 2, 3)])).toBe(false);
  expect(
    isLinearizable([write(1, 0, Infinity), read(null, 1, 2), read(1, 3, 4), read(null, 5, 6)]),
  ).toBe(false);
});

it("catches a client that gets and then sets", async () => {
  // Each answer takes a turn, as every server's does.
  const data = new Map<string, unknown>();
  const turn = (): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
  const client = {
    get: async (key: string) => (await turn(), data.get(key)),
    set: async (key: string, value: unknown) => (await turn(), void data.set(key, value)),
    del: async (key: string) => (await turn(), void data.delete(key)),
  };
  const stores = Array.from({ length: 5 }, () => kv(client));
  const histories = await Promise.all(
    Array.from({ length: 5 }, () => historyOf(stores, 20, broken)),
  );
  expect(histories.map((history) => isLinearizable(history))).toContain(false);
  const honest = await Promise.all(Array.from({ length: 5 }, () => historyOf(stores, 20)));
  expect(honest.map((history) => isLinearizable(history))).toEqual([true, true, true, true, true]);
});
