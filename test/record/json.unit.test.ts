import vm from "node:vm";
import fc from "fast-check";
import { expect, it } from "vitest";
import { runs } from "../support/runs.ts";
import { copyOf } from "../../src/record/json.ts";
import { checkedCopy } from "../../src/record/json-fault.ts";

it("copies what JSON keeps, exactly as JSON would", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const expected: unknown = JSON.parse(JSON.stringify(value));
      expect(checkedCopy(value)).toEqual(expected);
      expect(copyOf(checkedCopy(value))).toEqual(expected);
    }),
    { numRuns: runs(100) },
  );
});

it("shares nothing with the original", () => {
  const value = { a: [{ b: [1] }], c: {} };
  for (const copy of [checkedCopy(value), copyOf(value)] as (typeof value)[]) {
    copy.a[0]!.b.push(2);
    copy.a.push({ b: [] });
    expect(value).toEqual({ a: [{ b: [1] }], c: {} });
  }
});

it("keeps __proto__ as a key like any other, and pollutes nothing", () => {
  const value = JSON.parse('{"__proto__":{"polluted":1},"b":{"__proto__":[2]}}') as unknown;
  for (const copy of [checkedCopy(value), copyOf(value as never)]) {
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":1},"b":{"__proto__":[2]}}');
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  }
  expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
});

it("takes plain objects and arrays of another realm, and objects without a prototype", () => {
  const foreign: unknown = vm.runInNewContext("({ a: [1, { b: 2 }] })");
  expect(JSON.stringify(checkedCopy(foreign))).toBe('{"a":[1,{"b":2}]}');
  expect(checkedCopy(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  expect(() => checkedCopy(vm.runInNewContext("new Date()"))).toThrow("value is a Date");
});

it("reads getters once", () => {
  let reads = 0;
  const value = {
    get a() {
      return ++reads;
    },
  };
  expect(checkedCopy(value)).toEqual({ a: 1 });
  expect(reads).toBe(1);
});

it("refuses arrays and objects of a class", () => {
  class List extends Array {}
  class Empty {}
  expect(() => checkedCopy({ a: new List() })).toThrow(
    "value.a is a List: only JSON can be stored",
  );
  expect(() => checkedCopy([new Empty()])).toThrow("value[0] is an Empty");
  expect(() => checkedCopy(Object.create(Object.create(Object.create(null))))).toThrow(
    "value is a class instance",
  );
});

it("says to await a promise, and writes an article that fits", () => {
  const faults: [value: unknown, message: string][] = [
    [Promise.resolve(1), "value is a Promise: await it"],
    [{ user: Promise.resolve(1) }, "value.user is a Promise: await it"],
    [[new Error("x")], "value[0] is an Error: only JSON"],
    [new ArrayBuffer(1), "value is an ArrayBuffer: only JSON"],
    [new Uint8Array(1), "value is a Uint8Array: only JSON"],
    [new URL("https://example.com"), "value is a URL: only JSON"],
  ];
  for (const [value, message] of faults) expect(() => checkedCopy(value)).toThrow(message);
});

it("finds cycles and deep nesting without overflowing", () => {
  const wide: Record<string, unknown> = {};
  for (let i = 0; i < 50; i++) wide[`k${i}`] = wide;
  expect(() => checkedCopy(wide)).toThrow("value.k0 is a cycle");
  const list: unknown[] = [];
  list.push([list]);
  expect(() => checkedCopy(list)).toThrow("value[0][0] is a cycle");
  let deep: unknown = 1;
  for (let i = 0; i < 200_000; i++) deep = { d: deep };
  expect(() => checkedCopy(deep)).toThrow("nests deeper than 1000 levels");
});
