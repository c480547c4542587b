import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { MemoryLevel } from "memory-level";
import { describe, expect, it } from "vitest";
import { jsonCodec, rich, type Rich } from "../src/codec.ts";
import kv, { isKvError, type KvError, type Store } from "../src/index.ts";
import { runs } from "./support/runs.ts";

/** What comes back when the encoded form goes through a text, as it does in most clients. */
const again = (value: unknown): unknown =>
  rich.decode(JSON.parse(JSON.stringify(rich.encode(value))));

const proto = (value: unknown): object =>
  JSON.parse('{"__proto__":0}', (key, item: unknown) =>
    key === "__proto__" ? value : item,
  ) as object;

const VALUES: { [name: string]: unknown } = {
  date: new Date(1_700_000_000_123),
  "date before 1970": new Date(-1),
  "invalid date": new Date(NaN),
  bigint: -(2n ** 80n),
  map: new Map<unknown, unknown>([
    ["a", 1],
    [{ object: "key" }, new Map([[NaN, undefined]])],
  ]),
  "empty map": new Map(),
  set: new Set<unknown>([1, "1", -0, [new Set([null])]]),
  regexp: /a\/b[\n"]\u{1f600}/giu,
  url: new URL("https://user@example.com:8080/a%20b?c=d#e"),
  "search params": new URLSearchParams("a=1&a=2&b=%26"),
  undefined: undefined,
  NaN,
  Infinity,
  "-Infinity": -Infinity,
  "-0": -0,
  "special numbers inside": [undefined, NaN, Infinity, -Infinity, -0, 0, null],
  bytes: new Uint8Array([0, 1, 254, 255]),
  "no bytes": new Uint8Array(0),
  buffer: new Uint8Array([1, 2, 3]).buffer,
  "data view": new DataView(new Uint8Array([1, 2, 3]).buffer),
  int16: new Int16Array([-1, 300]),
  float64: new Float64Array([0.1, NaN, -0]),
  bigint64: new BigInt64Array([-5n]),
  "sparse array": [1, , 3], // eslint-disable-line no-sparse-arrays
  "undefined property": { a: undefined, b: 1 },
  "prototype keys": JSON.parse(
    '{"__proto__":{"a":1},"constructor":2,"toString":3,"___proto__":4,"_proto__":5,' +
      '"____proto__":6}',
  ),
  "prototype keys among others": {
    map: new Map([["x", proto(1n)]]),
    own: proto({ __proto__: null, a: new Date(1) }),
  },
  "lone surrogates": ["\ud800", { "\udc00": new Date(0), text: "a\ud83dz" }],
  "odd texts": {
    "": new Date(0),
    "\0": "\0",
    "a.b": "\u2028</script>",
    "🙂": ["🙂", "__proto__", "$rich"],
  },
  "a wrapper": { $rich: [1] },
  "a wrapper inside": { $rich: { $rich: 1n } },
  "an invalid wrapper": { $rich: "anything" },
  "null prototype": Object.assign(Object.create(null), { a: 1 }) as unknown,
};

describe("rich", () => {
  for (const [name, value] of Object.entries(VALUES)) {
    it(`keeps: ${name}`, () => {
      expect(again(value)).toStrictEqual(value);
      expect(again({ deep: [new Map([["x", value]]), new Set([value])] })).toStrictEqual({
        deep: [new Map([["x", value]]), new Set([value])],
      });
    });
  }

  it("keeps own keys of any name without touching a prototype", () => {
    const found = again({ when: new Date(0), data: proto({ polluted: 1n }) }) as {
      data: { polluted?: unknown };
    };
    expect(Object.getPrototypeOf(found.data)).toBe(Object.prototype);
    expect(found.data.polluted).toBe(undefined);
    expect(Object.keys(found.data)).toEqual(["__proto__"]);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  it("keeps shared and cyclic references, through every kind of container", () => {
    const shared = { a: 1 };
    const [first, second] = again([shared, shared]) as object[];
    expect(first).toBe(second);
    const cycle: { [key: string]: unknown } = proto(1) as never;
    Object.defineProperty(cycle, "__proto__", {
      value: new Map([["x", new Set([[cycle]])]]),
      enumerable: true,
    });
    const found = again(cycle) as typeof cycle;
    const map = Object.getOwnPropertyDescriptor(found, "__proto__")!.value as Map<
      string,
      Set<unknown[]>
    >;
    expect([...map.get("x")!][0]![0]).toBe(found);
  });

  it("keeps only the part of a buffer that a view shows", () => {
    const secret = new TextEncoder().encode("public secret");
    const encoded = JSON.stringify(
      rich.encode([
        secret.subarray(0, 6),
        Buffer.from("public"),
        new DataView(secret.buffer, 0, 6),
      ]),
    );
    expect(encoded.length).toBeLessThan(300);
    expect(encoded).not.toContain(btoa("secret"));
    const [bytes, buffer, view] = rich.decode<[Uint8Array, Uint8Array, DataView]>(
      JSON.parse(encoded),
    );
    expect(new TextDecoder().decode(bytes)).toBe("public");
    expect(Object.getPrototypeOf(buffer)).toBe(Uint8Array.prototype);
    expect(new TextDecoder().decode(buffer)).toBe("public");
    expect(view.byteLength).toBe(6);
    expect(again(new Int16Array([1, 2, 3, 4]).subarray(1, 3))).toStrictEqual(
      new Int16Array([2, 3]),
    );
  });

  it("leaves JSON as it is, so that others can read it and values from before are read", () => {
    for (const value of [
      1,
      "x",
      null,
      true,
      [],
      [1, [null]],
      {},
      { a: { b: ["$rich"], $rich2: 1 } },
      { $rich: 1, other: 2 },
    ]) {
      expect(rich.encode(value)).toBe(value);
      expect(rich.decode(value as never)).toBe(value);
    }
    expect(rich.encode({ a: new Date(0) })).toEqual({
      $rich: [{ a: 1 }, ["Date", "1970-01-01T00:00:00.000Z"]],
    });
  });

  it("keeps values of another realm", () => {
    const value = runInNewContext(
      '({ when: new Date(5), map: new Map([["a", [1n]]]), bytes: new Uint8Array([1]) })',
    ) as unknown;
    expect(again(value)).toStrictEqual({
      when: new Date(5),
      map: new Map([["a", [1n]]]),
      bytes: new Uint8Array([1]),
    });
  });

  it("is not led into walking an array that claims to be long", () => {
    const long: unknown[] = [1];
    long[4_294_967_294 - 1] = new Date(0);
    const found = again(long) as unknown[];
    expect(found.length).toBe(long.length);
    expect(found[long.length - 1]).toEqual(new Date(0));
  });

  class Point {
    x = 12345;
  }
  class MyMap extends Map {}
  class MyList extends Array {}
  const REFUSED: [name: string, value: unknown, message: string][] = [
    ["a function", () => 1, "value is a function"],
    ["a function inside", { user: [{ "a b": () => 12345 }] }, 'value.user[0]["a b"] is a function'],
    ["a symbol", { a: Symbol("12345") }, "value.a is a symbol"],
    [
      "an instance of a class",
      new Map([["12345", [1, new Point()]]]),
      "value.values()[0][1] is a Point",
    ],
    [
      "an instance as a key",
      new Map<unknown, unknown>([
        ["12345", 1],
        [new Point(), 2],
      ]),
      "value.keys()[1] is a Point",
    ],
    ["an instance in a set", new Set([0, new Point()]), "value.values()[1] is a Point"],
    ["a class that extends Map", { a: new MyMap() }, "value.a is a MyMap"],
    ["a class that extends Array", { a: MyList.from([1]) }, "value.a is a MyList"],
    ["a promise", [Promise.resolve(12345)], "value[0] is a Promise: await it"],
    ["an error", { a: new Error("12345") }, "value.a is an Error"],
    ["a weak map", { a: new WeakMap() }, "value.a is a WeakMap"],
    ["a boxed number", { a: Object(12345) as unknown }, "value.a is a Number"],
    ["shared memory", { a: new SharedArrayBuffer(8) }, "value.a is a SharedArrayBuffer"],
    [
      "a key that is a symbol",
      { a: { [Symbol("s")]: 12345 } },
      "value.a has a key that is a symbol",
    ],
    ["after a hole", Object.assign([], { 0: 1, 5: Point }) as unknown, "value[5] is a function"],
  ];
  for (const [name, value, message] of REFUSED) {
    it(`refuses ${name}, naming the path and no value`, () => {
      const error = thrown(() => rich.encode(value));
      expect(isKvError(error, "KV_INVALID_VALUE")).toBe(true);
      expect(error.message).toContain(message);
      expect(error.message).not.toContain("12345");
    });
  }

  it("refuses values that nest too deeply instead of overflowing the stack", () => {
    let deep: unknown = 1n;
    for (let i = 0; i < 1000; i++) deep = [deep];
    expect(again(deep)).toStrictEqual(deep);
    expect(
      isKvError(
        thrown(() => rich.encode([deep])),
        "KV_INVALID_VALUE",
      ),
    ).toBe(true);
    for (let i = 0; i < 100_000; i++) deep = { deep };
    expect(thrown(() => rich.encode(deep)).message.length).toBeLessThan(300);
  });

  it("keeps anything that it takes", () => {
    const part = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withSparseArray: true,
        withNullPrototype: true,
      }),
      fc.object({
        key: fc.constantFrom(
          "__proto__",
          "_",
          "___proto__",
          "$rich",
          "constructor",
          "then",
          "toJSON",
          "length",
        ),
        withBigInt: true,
      }),
      fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) }),
    );
    // Not by vitest, which takes an object's own key "constructor" for its class.
    const same = fc.property(part, (value) => isDeepStrictEqual(again(value), value));
    expect(() => fc.assert(same, { numRuns: runs(2000) })).not.toThrow();
  });
});

const CLIENTS: { [name: string]: () => Store<Rich> } = {
  "a Map": () => kv(new Map(), { codec: rich }),
  "a client of texts": () => kv(new MemoryLevel(), { codec: rich }),
};

for (const [name, open] of Object.entries(CLIENTS)) {
  describe(`rich in ${name}`, () => {
    it("keeps every value, isolated", async () => {
      const store = open();
      for (const [key, value] of Object.entries(VALUES)) {
        await store.set(key, value as Rich);
        // As everywhere, undefined at the top deletes.
        expect(await store.get(key)).toStrictEqual(value ?? null);
      }
      expect(await store.all()).toStrictEqual(
        Object.fromEntries(Object.entries(VALUES).filter(([key]) => key !== "undefined")),
      );
      const map = new Map([["a", 1]]);
      await store.set("map", map);
      map.set("a", 2);
      (await store.get<typeof map>("map"))!.set("a", 3);
      expect(await store.get("map")).toEqual(new Map([["a", 1]]));
      await store.close();
    });

    it("refuses values that it cannot keep, and leaves the old value", async () => {
      const store = open();
      await store.set("a", 1n);
      const error = await store.set("a", { b: () => 1 } as never).catch((error: KvError) => error);
      expect(error).toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(await store.get("a")).toBe(1n);
      await store.close();
    });

    it("rejects with KV_CORRUPT for a value that it cannot have written", async () => {
      const store = open();
      await kv(store, {
        codec: { encode: (value: unknown) => value as never, decode: (json) => json },
      }).set("a", { $rich: [["Nonsense", 1]] });
      await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
      await store.close();
    });
  });
}

function thrown(task: () => unknown): KvError {
  try {
    task();
  } catch (error) {
    return error as KvError;
  }
  throw new Error("nothing was thrown");
}

describe("jsonCodec", () => {
  class Session {
    readonly user = "ann";
    #secret = 1;
    next?: Session;
    toJSON(): object {
      return { user: this.user, visits: this.#secret };
    }
  }
  class Headers {
    accept = "text/html";
    get(): number {
      return 1;
    }
  }

  it("keeps exactly JSON.parse(JSON.stringify(value))", async () => {
    const store = kv(new Map(), { codec: jsonCodec });
    const values = [
      new Session(),
      [new Session(), new Headers(), undefined, NaN, () => 1],
      {
        url: new URL("https://example.com/a"),
        at: new Date(0),
        none: undefined,
        work() {},
        map: new Map([[1, 2]]),
      },
      new Headers(),
      new Date(0),
      "text",
      -0,
      [[], {}],
      JSON.parse('{"__proto__":{"a":1}}'),
    ];
    for (const value of values) {
      await store.set("k", value);
      expect(await store.get("k")).toStrictEqual(JSON.parse(JSON.stringify(value)));
    }
  });

  it("is not needed to read its values", async () => {
    const client = new Map();
    await kv(client, { codec: jsonCodec }).set("k", new Session());
    expect(await kv(client).get("k")).toEqual({ user: "ann", visits: 1 });
  });

  it("rejects values for which JSON.stringify() throws or returns undefined", async () => {
    const store = kv(new Map(), { codec: jsonCodec });
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const value of [
      cycle,
      1n,
      () => 1,
      Symbol("s"),
      NaN,
      new Date(NaN),
      { toJSON: () => undefined },
    ]) {
      await expect(store.set("k", value)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    }
    expect(await store.has("k")).toBe(false);
  });
});
