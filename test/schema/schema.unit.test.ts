import { getEventListeners } from "node:events";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import kv, { isKvError, type Store } from "../../src/index.ts";
import {
  bitset,
  DynamicStore,
  KvValidationError,
  StaticStore,
  type TypedStore,
} from "../../src/schema/index.ts";
import { contextOf } from "../../src/store/store.ts";
import { refusal } from "../support/refusal.ts";

it("runs the example that it follows", async () => {
  const store = StaticStore("foo", {
    bar: new DynamicStore("bar", z.array(z.object({ message: z.string() }))),
    baz: "set",
  });
  expect(await store.take("foo").take("bar").read()).toBeUndefined();
  await store
    .take("foo")
    .take("bar")
    .take("any")
    .write([{ message: "Hello, World!" }]);
  await expect(
    store
      .take("foo")
      .take("bar")
      .take("any")
      .write([{ message: 0 as never }]),
  ).rejects.toMatchObject({
    code: "KV_VALIDATION",
    key: "foo:bar:any",
    client: "MEMORY",
    issues: [{ path: [0, "message"] }],
  });
  expect((await refusal(() => store.take("notfoo" as "foo"))).code).toBe("KV_INVALID_KEY");
  await store
    .take("foo")
    .take("bar")
    .take("some other key that does not exist yet")
    .write([{ message: "Hello, World!" }]);
  expect(await store.take("foo").take("bar").take("any").read()).toEqual([
    { message: "Hello, World!" },
  ]);
  expect([await store.keys(), (await store.take("bar").keys()).sort()]).toEqual([
    ["bar"],
    ["any", "some other key that does not exist yet"],
  ]);
});

describe("stores", () => {
  it("answer for their own name with themselves, unless that is a key", () => {
    const store = StaticStore("foo", { a: "string" });
    expect(store.take("foo")).toBe(store);
    expect(StaticStore("foo", { foo: "string" }).take("foo").key).toBe("foo:foo");
    // In a dynamic store every text is a key: one that a user chose must not reach the store
    // itself.
    expect(DynamicStore("users", "string").take("users").key).toBe("users:users");
    const nested = StaticStore("root", { inner: StaticStore("declared", { a: "string" }) }).take(
      "inner",
    );
    expect([nested.take("declared").key, nested.take("a").key, nested.name]).toEqual([
      "root:inner",
      "root:inner:a",
      "declared",
    ]);
  });

  it("have a memory each, and the root decides for those in it", async () => {
    const make = (): StaticStore<{ a: "string" }> => StaticStore("same", { a: "string" });
    const [one, other] = [make(), make()];
    await one.take("a").write("mine");
    expect([await one.take("a").read(), await other.take("a").read()]).toEqual(["mine", undefined]);

    const [outside, inside] = [kv(new Map()), kv(new Map())];
    const inner = new DynamicStore("ignored", "string", { store: inside });
    const root = new StaticStore("root", { inner }, { store: outside });
    await root.take("inner").take("a").write("x");
    await inner.take("a").write("y");
    expect([await outside.keys(), await inside.keys()]).toEqual([["root:inner:a"], ["ignored:a"]]);
    expect([await root.take("inner").take("a").read(), await inner.take("a").read()]).toEqual([
      "x",
      "y",
    ]);
    expect(await StaticStore.redis("root", { inner }, outside).take("inner").take("a").read()).toBe(
      "x",
    );
    expect(
      await new DynamicStore("inner", "string", { store: outside.prefix("root:") })
        .take("a")
        .read(),
    ).toBe("x");
  });

  it("keep the schema from when they were made, by its own keys alone", async () => {
    const schema: { [key: string]: "string" | "set" } = { a: "string" };
    const store = StaticStore("s", schema);
    schema["a"] = "set";
    schema["b"] = "string";
    expect(store.take("a")).toHaveProperty("read");
    expect(store.take("a")).not.toHaveProperty("add");
    for (const key of ["b", "toString", "__proto__", "constructor", "", "\ud800", 5, undefined])
      expect(() => store.take(key as "a"), String(key)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_KEY" }),
      );
    expect(StaticStore("s", { ["__proto__"]: "string" }).take("__proto__").key).toBe("s:__proto__");
  });

  it("refuse an invalid schema at once", async () => {
    for (const wrong of ["", "\ud800", 5, null, undefined]) {
      expect(
        (await refusal(() => DynamicStore(wrong as string, "string"))).code,
        String(wrong),
      ).toBe("KV_INVALID_KEY");
    }
    for (const wrong of [
      "sett",
      "",
      {},
      null,
      undefined,
      5,
      [],
      () => {},
      { kind: "bitset" },
      { kind: "bitset", bits: 65 },
      { kind: "json" },
      { "~standard": {} },
      { "~standard": { validate: 5 } },
    ]) {
      expect((await refusal(() => DynamicStore("s", wrong as "string"))).code, String(wrong)).toBe(
        "KV_INVALID_VALUE",
      );
      expect((await refusal(() => new StaticStore("s", { a: wrong as "string" }))).code).toBe(
        "KV_INVALID_VALUE",
      );
    }
    for (const wrong of [null, undefined, 5, "a"])
      expect((await refusal(() => StaticStore("s", wrong as never))).code).toBe("KV_INVALID_VALUE");
    expect((await refusal(() => StaticStore("s", { "": "string" }))).code).toBe("KV_INVALID_KEY");
    for (const wrong of [new Map(), "memory", null, {}, 5])
      expect(
        (await refusal(() => StaticStore("s", {}, { store: wrong as unknown as Store }))).code,
        String(wrong),
      ).toBe("KV_INVALID_CLIENT");
    for (const wrong of ["memory", "redis", null, new Map(), []])
      expect((await refusal(() => DynamicStore("s", "string", wrong as never))).code).toBe(
        "KV_INVALID_CLIENT",
      );
    for (const wrong of [undefined, null, new Map(), { store: kv() }])
      expect(await refusal(() => StaticStore.redis("s", {}, wrong as never))).toMatchObject({
        code: "KV_INVALID_CLIENT",
        message: expect.stringContaining("redis() takes the store itself"),
      });
    // Not quietly into memory.
    for (const make of [
      () => StaticStore("s", { a: "string" }, kv() as never),
      () => DynamicStore("s", "string", kv() as never),
    ])
      expect(await refusal(make)).toMatchObject({
        code: "KV_INVALID_CLIENT",
        message: "the options of a typed store are an object: { store }",
      });
    for (const wrong of [0, 1, 65, 2.5, NaN, "8"])
      expect((await refusal(() => bitset(wrong as number))).code, String(wrong)).toBe(
        "KV_INVALID_VALUE",
      );
  });

  it("list the fields of the schema, and leave other keys alone until erase()", async () => {
    const store = kv(new Map());
    const old = StaticStore("app", { a: "string", gone: "string" }, { store });
    await old.take("a").write("x");
    await old.take("gone").write("y");
    const now = StaticStore("app", { a: "string" }, { store });
    expect([await now.keys(), await now.entries()]).toEqual([["a"], [["a", "x"]]]);
    await store.set("app::nameless", "z");
    expect((await DynamicStore("app", "string", { store }).keys()).sort()).toEqual(["a", "gone"]);
    await now.take("a").erase();
    expect([await now.exists(), await old.keys()]).toEqual([false, ["gone"]]);
    await now.erase();
    expect(await store.keys()).toEqual([]);
  });

  it("give the values of fields, and nested stores and bitsets themselves", async () => {
    const inner = kv();
    const store = StaticStore(
      "app",
      {
        tags: "set",
        bits: bitset(8),
        users: DynamicStore("users", z.object({ name: z.string() })),
        none: "list",
      },
      { store: inner },
    );
    await store.take("tags").add("x");
    await store.take("bits").write(0, 5);
    await store.take("users").take("ann").write({ name: "Ann" });
    const found = new Map((await store.entries()) as [string, unknown][]);
    expect([
      found.size,
      found.get("tags"),
      (found.get("bits") as { key: string }).key,
      await (found.get("users") as { keys(): Promise<string[]> }).keys(),
    ]).toEqual([3, new Set(["x"]), "app:bits", ["ann"]]);
    expect(await store.take("users").entries()).toEqual([["ann", { name: "Ann" }]]);
    await store.take("bits").write(2, -1);
    expect(await inner.get("app:bits")).toEqual({ bitset8: "BQD_" });
  });

  it("are erased whole where a deletion hides keys from the listing", async () => {
    const [keys, values] = [[] as string[], new Map<string, unknown>()];
    const client = {
      get: async (key: string) => values.get(key) ?? null,
      set: async (key: string, value: unknown) => {
        if (value === null) keys.splice(keys.indexOf(key), 1);
        else if (!values.has(key)) keys.push(key);
        void (value === null ? values.delete(key) : values.set(key, value));
      },
      async *iterate() {
        // By place: what moves up in the meantime is left out.
        for (let i = 0; i < keys.length; i++)
          yield [keys[i]!, values.get(keys[i]!)] as [string, unknown];
      },
    };
    const inner = kv(client);
    const many = DynamicStore("many", "boolean", { store: inner });
    for (let i = 0; i < 1500; i++) await many.take(String(i)).write(true);
    await many.erase();
    expect(keys).toEqual([]);
    for (let i = 0; i < 1500; i++) await many.take(String(i)).write(true);
    // A hundred at a time, not one after the other.
    let [reading, most] = [0, 0];
    const slow = {
      ...client,
      get: async (key: string) => {
        most = Math.max(most, ++reading);
        await new Promise(setImmediate);
        reading--;
        return client.get(key);
      },
    };
    expect([
      (await DynamicStore("many", "boolean", { store: kv(slow) }).entries()).length,
      most,
    ]).toEqual([1500, 100]);
    // What is gone when it is read.
    expect(
      await DynamicStore("many", "boolean", {
        store: kv({ ...client, get: async () => null }),
      }).entries(),
    ).toEqual([]);
    const listing = many.keys();
    await Promise.all([
      expect(listing).rejects.toMatchObject({ code: "KV_CLOSED" }),
      inner.close(),
    ]);
  });

  it("nest as deep as they like", async () => {
    const deep = StaticStore("1", {
      a: StaticStore("2", {
        b: StaticStore("3", {
          c: StaticStore("4", { d: DynamicStore("5", DynamicStore("6", "number")) }),
        }),
      }),
    });
    const field = deep.take("a").take("b").take("c").take("d").take("x").take("y");
    expect([
      field.key,
      await field.increment(),
      await deep.keys(),
      await deep.take("a").take("b").keys(),
    ]).toEqual(["1:a:b:c:d:x:y", 1, ["a"], ["c"]]);
    await deep.take("a").take("b").erase();
    expect(await field.read()).toBeUndefined();
  });
});

describe("fields", () => {
  it("refuse values of another type, and keep theirs", async () => {
    const store = StaticStore("s", {
      string: "string",
      number: "number",
      boolean: "boolean",
      bytes: "bytes",
      set: "set",
      list: "list",
      hash: "hash",
      sorted: "sorted",
    });
    const wrong: { readonly [key: string]: readonly unknown[] } = {
      string: [5, null, undefined, {}, ["a"]],
      number: ["5", 5n, NaN, null, undefined],
      boolean: [0, "true", null, undefined],
      bytes: [
        "a",
        [1],
        new ArrayBuffer(1),
        new DataView(new ArrayBuffer(1)),
        new Uint16Array(1),
        null,
      ],
      set: ["text", 5, null, [5], ["a", null], {}],
      list: ["text", null, [{}]],
      hash: [
        "text",
        null,
        new Date(),
        new (class {
          a = "b";
        })(),
        { a: 5 },
        [["a"]],
        ["ab"],
        new Map([[5, "a"]]),
        [["a", "\ud800"]],
      ],
      sorted: ["text", null, /a/, { a: "5" }, { a: Infinity }, { a: NaN }, [["a"]]],
    };
    await store.take("string").write("kept");
    await store.take("hash").write({ kept: "too" });
    for (const [key, values] of Object.entries(wrong)) {
      const field = store.take(key as "string");
      for (const value of values) {
        const error = await refusal(() => field.write(value as string));
        expect(
          [
            error.code,
            error.key,
            error.client,
            error.name,
            error instanceof KvValidationError,
            isKvError(error, "KV_VALIDATION"),
          ],
          `${key} ${String(value)}`,
        ).toEqual(["KV_VALIDATION", `s:${key}`, "MEMORY", "KvError", true, true]);
        expect(error.issues[0]!.message).toMatch(/^expected .+, not /);
      }
    }
    expect(
      (await refusal(() => store.take("hash").write({ a: { b: 1 } as never }))).issues,
    ).toEqual([{ message: "expected a string, not an object", path: ["a"] }]);
    const calls = [
      () => store.take("list").range(0.5),
      () => store.take("list").range(0, "1" as never),
      () => store.take("list").trim(NaN),
      () => store.take("sorted").between(NaN),
      () => store.take("sorted").add("a", "1" as never),
      () => store.take("hash").get(5 as never),
      () => store.take("set").has(5 as never),
      () => store.take("set").intersect(store.take("list") as never),
      () => store.take("set").intersect(null as never),
      () => store.take("number").increment("1" as never),
      ...[null, true, { reverse: "yes" }].flatMap((wrong) => [
        () => store.take("sorted").range(0, 1, wrong as never),
        () => store.take("sorted").between(0, 1, wrong as never),
        () => store.take("sorted").rank("a", wrong as never),
      ]),
    ];
    for (const call of calls) expect((await refusal(call)).code).toBe("KV_VALIDATION");
    await store.take("list").write(["a", "b"]);
    expect([
      await store.take("list").range(1, Infinity),
      await store.take("list").range(-1),
    ]).toEqual([["b"], ["b"]]);
    await store.take("list").erase();
    const said = [
      () => store.take("list").range(0.5),
      () => store.take("list").range(2 ** 53),
      () =>
        StaticStore("s", { bits: bitset(8) })
          .take("bits")
          .read(-1),
    ];
    expect(
      await Promise.all(said.map(async (call) => (await refusal(call)).issues[0]!.message)),
    ).toEqual([
      "expected a whole number, not a fraction",
      "expected a whole number, not a number that is not exact",
      "expected an index: a whole number from 0, not a negative number",
    ]);
    expect(await store.entries()).toEqual([
      ["string", "kept"],
      ["hash", { kept: "too" }],
    ]);
  });

  it("say where it was when they refuse an expiry", async () => {
    const set = StaticStore("s", { set: "set" }, { store: kv().prefix("p:") }).take("set");
    for (const work of [
      () => set.add("a", { expires: "soon" }),
      () => set.write(["a"], { expires: NaN }),
      () => set.add("a", "1h" as never),
      () => set.add("a", new Date() as never),
      () => set.touch("soon"),
    ])
      expect(await refusal(work)).toMatchObject({
        code: "KV_INVALID_EXPIRES",
        client: "MEMORY",
        key: "p:s:set",
      });
  });

  it("give away nothing of their own, and keep nothing of the caller's", async () => {
    const store = StaticStore("s", {
      bytes: "bytes",
      set: "set",
      json: z.object({ list: z.array(z.number()) }),
    });
    const [bytes, members, value] = [Uint8Array.of(1), new Set(["a"]), { list: [1] }];
    const writing = [
      store.take("bytes").write(bytes),
      store.take("set").write(members),
      store.take("json").write(value),
    ] as const;
    bytes[0] = 9;
    members.add("b");
    value.list.push(2);
    const written = (await Promise.all(writing))[2];
    written.list.push(3);
    (await store.take("bytes").read())![0] = 8;
    (await store.take("set").read())!.clear();
    (await store.take("json").read())!.list.push(4);
    // What a schema is given while it is validated is the caller's own.
    expect([
      await store.take("bytes").read(),
      await store.take("set").read(),
      await store.take("json").read(),
    ]).toEqual([Uint8Array.of(1), new Set(["a"]), { list: [1] }]);
  });

  it("are damaged or foreign, and stay so until they are written or erased", async () => {
    const inner = kv(new Map());
    const store = StaticStore(
      "s",
      { set: "set", bytes: "bytes", number: "number", json: z.number() },
      { store: inner },
    );
    for (const [key, raw] of [
      ["set", { set: 5 }],
      ["set", "text"],
      ["set", { list: ["a"] }],
      ["set", []],
      ["number", { number: "5" }],
      ["json", { string: "x" }],
    ] as const) {
      await inner.set(`s:${key}`, raw as never);
      expect((await refusal(() => store.take(key as "set").read())).code).toBe("KV_FOREIGN");
      expect(await inner.get(`s:${key}`)).toEqual(raw);
    }
    await inner.set("s:bytes", { bytes: "not base64!" });
    expect((await refusal(() => store.take("bytes").read())).code).toBe("KV_CORRUPT");
    await store.take("bytes").write(new Uint8Array(3));
    await store.take("set").erase();
    expect([await store.take("bytes").read(), await store.take("set").exists()]).toEqual([
      new Uint8Array(3),
      false,
    ]);
    await inner.set("s:json", { json: "no number" });
    expect(await refusal(() => store.take("json").read())).toMatchObject({
      code: "KV_VALIDATION",
      key: "s:json",
    });
    expect(await refusal(() => store.take("json").update((value) => value))).toMatchObject({
      code: "KV_VALIDATION",
    });
    expect(await inner.get("s:json")).toEqual({ json: "no number" });
  });

  it("are read and written whole where the client offers no compare-and-set", async () => {
    const data = new Map<string, unknown>();
    const client = {
      EXPIRES: true,
      get: async (key: string) => data.get(key) ?? null,
      set: async (key: string, value: unknown) =>
        void (value === null ? data.delete(key) : data.set(key, value)),
      async *iterate(prefix: string) {
        for (const [key, value] of data)
          if (key.startsWith(prefix)) yield [key, value] as [string, unknown];
      },
    };
    const inner = kv(client);
    const store = StaticStore(
      "s",
      { set: "set", json: z.object({ a: z.number() }), bits: bitset(8) },
      { store: inner },
    );
    await store.take("set").write(["a"]);
    await store.take("json").write({ a: 1 });
    expect([
      inner.supports.atomic,
      await store.take("set").read(),
      await store.take("json").read(),
      (await store.keys()).sort(),
    ]).toEqual(["no", new Set(["a"]), { a: 1 }, ["json", "set"]]);
    for (const work of [
      () => store.take("set").add("b"),
      () => store.take("json").update(() => ({ a: 2 })),
      () => store.take("bits").write(0, 1),
    ])
      expect((await refusal(work)).code).toBe("KV_NOT_SUPPORTED");
    await store.erase();
    expect(data.size).toBe(0);
  });
});

describe("watching", () => {
  it("is refused for an invalid interval, and ended by a signal", async () => {
    const field = StaticStore("s", { set: "set" }).take("set");
    for (const wrong of [null, 5, "1s", { signal: {} }, { signal: null }])
      expect(() => field.watch(wrong as never), String(wrong)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE", key: "s:set" }),
      );
    for (const interval of [0, -1, NaN, 1000, "soon"])
      expect(() => field.watch({ interval: interval as number })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
    const end = new AbortController();
    const reader = field.watch({ signal: end.signal }).getReader();
    expect(await reader.read()).toEqual({ done: false, value: undefined });
    const next = reader.read();
    end.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await field.watch({ signal: end.signal }).getReader().read()).toEqual({
      done: true,
      value: undefined,
    });
  });

  it("leaves nothing behind", async () => {
    const base = kv();
    const end = new AbortController();
    const field = DynamicStore("s", z.number(), { store: base }).take("a");
    const reader = field.watch({ signal: end.signal }).getReader();
    expect((await reader.read()).value).toBeUndefined();
    const next = reader.read();
    await field.write(1);
    expect((await next).value).toBe(1);
    const { connection } = contextOf(base)!;
    expect(connection.order.isHeard).toBe(true);
    expect(getEventListeners(end.signal, "abort").length).toBe(1);
    await reader.cancel();
    expect(connection.watches).toBe(null);
    expect(connection.order.isHeard).toBe(false);
    expect(connection.order.pending).toBe(0);
    expect(getEventListeners(end.signal, "abort").length).toBe(0);
  });

  it("tells null from nothing", async () => {
    const field = DynamicStore("s", z.null()).take("a");
    const reader = field.watch().getReader();
    const seen = [(await reader.read()).value];
    for (const change of [() => field.write(null), () => field.erase()]) {
      await change();
      seen.push((await reader.read()).value);
    }
    expect(seen).toEqual([undefined, null, undefined]);
  });

  it("hears everybody on the connection at once, and fails when the store is closed", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const inner = kv(new Map());
      const [one, other] = [
        StaticStore("s", { set: "set" }, { store: inner }),
        StaticStore("set", { x: "set" }, { store: inner.prefix("s:") }),
      ];
      const reader = one.take("set").watch({ interval: 60 }).getReader();
      await reader.read();
      // The same key by another way, without a timer.
      await new DynamicStore("s", "set", { store: inner }).take("set").add("a");
      expect((await reader.read()).value).toEqual(new Set(["a"]));
      await other.take("x").add("elsewhere");
      const erased = reader.read();
      await one.erase();
      expect((await erased).value).toBeUndefined();
      await one.take("set").add("again");
      expect((await reader.read()).value).toEqual(new Set(["again"]));
      const gone = reader.read();
      await one.take("set").erase();
      expect((await gone).value).toBeUndefined();
      await inner.close();
      const failing = reader.read();
      vi.advanceTimersByTime(60_000);
      await expect(failing).rejects.toMatchObject({ code: "KV_CLOSED" });
    } finally {
      vi.useRealTimers();
    }
  });
});

const LIBRARIES = {
  zod: z.object({ name: z.string(), tags: z.array(z.string()).default([]) }),
  valibot: v.object({ name: v.string(), tags: v.optional(v.array(v.string()), []) }),
  arktype: type({ name: "string", tags: type("string[]").default(() => []) }),
};

describe.each(Object.entries(LIBRARIES))("JSON by %s", (_name, schema) => {
  it("is validated when it is written and read, and kept as the schema makes it", async () => {
    const inner = kv(new Map());
    const store = DynamicStore("users", schema as typeof LIBRARIES.zod, { store: inner });
    const ann = store.take("ann");
    expect(await ann.write({ name: "Ann" })).toEqual({ name: "Ann", tags: [] });
    expect([await ann.read(), await inner.get("users:ann")]).toEqual([
      { name: "Ann", tags: [] },
      { json: { name: "Ann", tags: [] } },
    ]);
    const error = await refusal(() => ann.write({ name: "Ann", tags: ["fine", 4711 as never] }));
    expect([error.code, error.issues.map(({ path }) => path)]).toEqual([
      "KV_VALIDATION",
      [["tags", 1]],
    ]);
    expect(error.message).toBe(
      'value.tags[1] does not fit the schema of "users:ann": see the issues',
    );
    expect(await ann.update(({ tags }) => ({ tags: [...tags, "new"] }))).toEqual({
      name: "Ann",
      tags: ["new"],
    });
    expect((await refusal(() => ann.update(() => ({ name: 5 as never })))).issues[0]!.path).toEqual(
      ["name"],
    );
    expect(await ann.read()).toEqual({ name: "Ann", tags: ["new"] });
    const typed: TypedStore = store;
    expect(await typed.exists()).toBe(true);
  });
});
