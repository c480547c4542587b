import { afterEach, beforeEach, expect, it, vi } from "vitest";

// In 2052, when all 14 digits are used.
const T = 2_600_000_000_000;
const DAY = 86_400_000;

/** The 14 digits of a moment, and counts after it. A millisecond has 2,048. */
const digits = (ms: number, counts = 0): string =>
  (ms * 2048 + counts).toString(16).padStart(14, "0");

let clock = T;
beforeEach(() => {
  clock = T;
  vi.spyOn(Date, "now").mockImplementation(() => clock);
  vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
    expect((array as unknown as Uint32Array).length).toBe(1);
    (array as unknown as Uint32Array)[0] = 0xab00001c;
    return array;
  });
});
afterEach(() => vi.restoreAllMocks());

/** The versions of a process that has just begun. */
async function newProcess() {
  vi.resetModules();
  const module = await import("../../src/record/version.ts");
  return { ...module, next: () => module.formatVersion(module.timedStamp()) };
}

it("makes versions of the moment, a count, and six digits of the process", async () => {
  const { next } = await newProcess();
  expect(next()).toBe(`${digits(T, 1)}00001c`);
  expect(next()).toBe(`${digits(T, 2)}00001c`);
  clock = T + 5;
  expect(next()).toBe(`${digits(T + 5)}00001c`);
  clock = T - DAY;
  expect(next()).toBe(`${digits(T + 5, 1)}00001c`);
});

it("formats a stamp before it has made one", async () => {
  const { formatVersion } = await newProcess();
  expect(formatVersion(7)).toBe(`${digits(T, 7)}00001c`);
});

it("counts on from a version that was read, up to one that is a day ahead", async () => {
  const { next, observe } = await newProcess();
  next();
  observe(`${digits(T + 3_600_000)}ffffff`);
  expect(next()).toBe(`${digits(T + 3_600_000, 1)}00001c`);
  observe(`${digits(T + 1000)}ffffff`);
  expect(next()).toBe(`${digits(T + 3_600_000, 2)}00001c`);
  observe(`${digits(T + DAY, 1)}000000`);
  expect(next()).toBe(`${digits(T + 3_600_000, 3)}00001c`);
  observe(`${digits(T + DAY)}ffffff`);
  expect(next()).toBe(`${digits(T + DAY, 1)}00001c`);
});

it("counts on from a version that was read before the first of its own", async () => {
  const { next, observe } = await newProcess();
  observe(`${digits(T + 1000)}ffffff`);
  expect(next()).toBe(`${digits(T + 1000, 1)}00001c`);
});

it("gives texts to clients that outlive the process, and numbers to others", async () => {
  const { stampFor } = await newProcess();
  const supports = (persistent: boolean) => ({ supports: { persistent } }) as never;
  expect(stampFor(supports(true))).toBe(`${digits(T, 1)}00001c`);
  expect(stampFor(supports(false))).toBe(2);
});
