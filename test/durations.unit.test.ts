import { expect, it } from "vitest";
import { durationOf } from "../src/concurrency/interval.ts";
import { createHandler } from "../src/http/index.ts";
import kv from "../src/index.ts";
import { createKVStore } from "../src/reactive/index.ts";
import { StaticStore } from "../src/schema/index.ts";
import { versioned } from "../src/versioned/index.ts";

it("reads seconds and strings with a unit", () => {
  const durations = [
    [1, 1000],
    [0.1, 100],
    [60, 60_000],
    ["60", 60_000],
    ["500ms", 500],
    ["2m", 120_000],
    ["0.5ms", 1],
  ] as const;
  for (const [value, ms] of durations) expect(durationOf("interval", value, 60)).toBe(ms);
});

it("rejects numbers that mean milliseconds, and names the code to write", () => {
  expect(() => durationOf("interval", 5000, 60)).toThrow(
    '"interval" is in seconds, and 5000 seconds is too long: write "5000ms" for ' +
      'milliseconds, or "5000s" for seconds',
  );
  expect(durationOf("interval", "5000s", 60)).toBe(5_000_000);
});

it("rejects anything else", () => {
  for (const value of [
    NaN,
    Infinity,
    -1,
    0,
    "",
    "soon",
    "5 lightyears",
    true,
    {},
    [],
    null,
    undefined,
    5n,
    new Date(),
    "9999y",
  ]) {
    expect(() => durationOf("interval", value, 60), String(value)).toThrow(
      expect.objectContaining({
        code: "KV_INVALID_VALUE",
        message: '"interval" is a duration: seconds up to 60, or a string like "500ms" or "2m"',
      }),
    );
  }
  expect(durationOf("delay", 0, 10, 0)).toBe(0);
});

it("is accepted by every API for an interval, a delay and a timeout", () => {
  const store = kv(new Map());
  const field = StaticStore("app", { name: "string" }, { store }).take("name");
  let names = 0;
  const uses: readonly [option: string, most: number, use: (value: never) => unknown][] = [
    ["interval", 60, (interval) => versioned(store).watch([["a"]], { interval })],
    ["interval", 60, (interval) => field.watch({ interval })],
    ["interval", 60, (interval) => createHandler(store, { tokens: "none", interval })],
    ["bodyTimeout", 600, (bodyTimeout) => createHandler(store, { tokens: "none", bodyTimeout })],
    ["interval", 60, (interval) => createKVStore(`interval ${names++}`, { store, interval })],
    ["delay", 10, (delay) => createKVStore(`delay ${names++}`, { store, delay })],
  ];
  for (const [option, most, use] of uses) {
    for (const value of [most, 0.05, "50ms", "1h"])
      expect(() => use(value as never), `${option}: ${value}`).not.toThrow();
    expect(() => use((most + 1) as never), option).toThrow(
      expect.objectContaining({
        code: "KV_INVALID_VALUE",
        message: expect.stringContaining(`write "${most + 1}ms" for milliseconds`),
      }),
    );
    for (const value of [-1, NaN, "soon", null, 2 ** 31])
      expect(() => use(value as never), `${option}: ${String(value)}`).toThrow(
        expect.objectContaining({
          code: "KV_INVALID_VALUE",
          message: expect.stringContaining(`"${option}"`),
        }),
      );
  }
});
