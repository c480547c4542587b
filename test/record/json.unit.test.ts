import vm from "node:vm";
import fc from "fast-check";
import { expect, it } from "vitest";
import { runs } from "../support/runs.ts";
import { copyOf, jsonCopy, MAX_DEPTH, snapshot } from "../../src/record/json.ts";
import { checkedCopy } from "../../src/record/json-fault.ts";

it("copies JSON values exactly as JSON would", () => {
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

/** A value at the top, in an array and in an object. */
const everywhere = (value: unknown): unknown[] => [
  value,
  ["a", value, 1],
  { a: 1, b: value, c: 2 },
];

it("makes -0 a 0, and undefined a null or nothing", () => {
  expect(everywhere(-0).map(jsonCopy)).toEqual([0, ["a", 0, 1], { a: 1, b: 0, c: 2 }]);
  expect(everywhere(0).map(jsonCopy)).toEqual([0, ["a", 0, 1], { a: 1, b: 0, c: 2 }]);
  expect(everywhere(undefined).map(jsonCopy)).toEqual([null, ["a", null, 1], { a: 1, c: 2 }]);
});

it.each([NaN, Infinity, -Infinity, 1n, Symbol("s"), () => 1, new Date(0), Object(1)])(
  "copies nothing that holds %s",
  (value) => {
    for (const each of everywhere(value))
      expect([jsonCopy(each), jsonCopy([[{ a: each }]])]).toEqual([undefined, undefined]);
  },
);

it("copies strings, numbers, booleans and null", () => {
  for (const value of ["", "a", 1, -1.5, 2 ** 53, 5e-324, true, false, null]) {
    const all = everywhere(value);
    expect(all.map(jsonCopy)).toEqual(all);
  }
});

it.each([
  ["arrays", (inner: unknown) => [inner]],
  ["objects", (inner: unknown) => ({ a: inner })],
])("copies %s of 1,000 levels, and none of 1,001", (_, wrap) => {
  let value: unknown = 1;
  for (let level = 0; level < MAX_DEPTH; level++) value = wrap(value);
  expect(jsonCopy(value)).toEqual(value);
  expect(jsonCopy(wrap(value))).toBe(undefined);
  expect(() => checkedCopy(wrap(value))).toThrow("nests deeper than 1000 levels");
});

it("copies plain arrays of every realm by their items, and no others", () => {
  const bare: unknown[] = Object.setPrototypeOf([1], null);
  expect(jsonCopy(bare)).toBe(undefined);
  class List extends Array {}
  expect(jsonCopy(List.from([1]))).toBe(undefined);
  const foreign: unknown[] = vm.runInNewContext("[1, [2]]");
  expect(jsonCopy(foreign)).toEqual([1, [2]]);
  expect(Object.getPrototypeOf(jsonCopy(foreign))).toBe(Array.prototype);
  const own = Object.assign([1, 2], { map: () => ["wrong"], slice: () => ["wrong"] });
  expect(jsonCopy(own)).toEqual([1, 2]);
});

it("does not copy members that a program has added to Object.prototype", () => {
  const shared = Object.getPrototypeOf({}) as { added?: unknown };
  Object.defineProperty(shared, "added", {
    value: { a: -0 },
    enumerable: true,
    configurable: true,
    writable: true,
  });
  try {
    const copies = [jsonCopy({ b: [1] }), copyOf({ b: [1] })];
    expect(copies.map((copy) => Object.keys(copy as object))).toEqual([["b"], ["b"]]);
  } finally {
    delete shared.added;
  }
});

it("copies no object with a symbol for a key, and none that throws", () => {
  expect(jsonCopy({ a: 1, [Symbol("s")]: 1 })).toBe(undefined);
  const failing = {
    get a() {
      throw new Error("no");
    },
  };
  expect(jsonCopy({ b: failing })).toBe(undefined);
});

it("makes plain objects and arrays anew in a snapshot, and shares everything else", () => {
  const date = new Date(0);
  const map = new Map([[1, 2]]);
  const work = (): number => 1;
  const value = { list: [1, [2], { n: null }], date, map, work, none: undefined, text: "a" };
  const copy = snapshot(value) as typeof value;
  expect(copy).toEqual(value);
  expect(Array.isArray(copy.list)).toBe(true);
  expect([copy.date, copy.map, copy.work]).toEqual([date, map, work]);
  expect([copy.date === date, copy.map === map, copy.work === work]).toEqual([true, true, true]);
  expect(copy).not.toBe(value);
  expect(copy.list).not.toBe(value.list);
  expect(copy.list[1]).not.toBe(value.list[1]);
  expect(copy.list[2]).not.toBe(value.list[2]);
  for (const same of ["a", 1, null, undefined, date]) expect(snapshot(same)).toBe(same);
});

it("keeps cycles, repeated objects and __proto__ in a snapshot, which can be changed", () => {
  const shared = { n: 1 };
  const value: { [key: string]: unknown } = { a: shared, b: shared };
  value.self = value;
  Object.defineProperty(value, "__proto__", { value: shared, enumerable: true });
  const copy = snapshot(value) as typeof value;
  expect(copy.self).toBe(copy);
  expect(copy.a).toBe(copy.b);
  expect(copy.a).not.toBe(shared);
  expect(Object.keys(copy)).toEqual(["a", "b", "self", "__proto__"]);
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  expect(Object.getOwnPropertyDescriptor(copy, "a")).toMatchObject({
    enumerable: true,
    writable: true,
    configurable: true,
  });
});

it("leaves an object whose member throws to the check of the value", () => {
  const value = {
    get broken(): never {
      throw new Error("broken");
    },
  };
  expect(snapshot(value)).toBe(value);
});
