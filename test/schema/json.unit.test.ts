import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { DynamicStore, json, type StandardSchema, StaticStore } from "../../src/schema/index.ts";
import { refusal } from "../support/refusal.ts";

describe("a schema whose output is not its input", () => {
  it("is kept as its output, once that can be read again", async () => {
    const store = StaticStore("s", {
      stripped: z.object({ a: z.number() }),
      trimmed: z.string().trim(),
      coerced: z.coerce.number(),
      strict: z.strictObject({ a: z.number() }),
      async: v.pipeAsync(
        v.string(),
        v.checkAsync(async (text) => text !== "bad"),
        v.transformAsync(async (text) => text.toUpperCase()),
      ),
    });
    expect(await store.take("stripped").write({ a: 1, b: 2 } as { a: number })).toEqual({ a: 1 });
    expect(await store.take("trimmed").write("  x ")).toBe("x");
    expect([await store.take("coerced").write("5"), await store.take("coerced").read()]).toEqual([
      5, 5,
    ]);
    expect(
      (await refusal(() => store.take("strict").write({ a: 1, b: 2 } as { a: number }))).code,
    ).toBe("KV_VALIDATION");
    expect([await store.take("async").write("x"), await store.take("async").read()]).toEqual([
      "X",
      "X",
    ]);
    expect((await refusal(() => store.take("async").write("bad"))).code).toBe("KV_VALIDATION");
  });

  it("is refused, and nothing is written, when it cannot be read again", async () => {
    const store = StaticStore("s", {
      length: z.string().transform((text) => text.length),
      growing: z.string().transform((text) => `${text}!`),
      optional: z.string().optional(),
      sorted: z.array(z.number()).transform((all) => all.toReversed()),
    });
    expect(await refusal(() => store.take("length").write("abc"))).toMatchObject({
      code: "KV_VALIDATION",
      message:
        "value as the schema makes it cannot be read again by that schema of " +
        '"s:length": see the issues',
    });
    for (const [key, value] of [
      ["growing", "a"],
      ["optional", undefined],
      ["sorted", [1, 2]],
    ] as const)
      expect(
        (await refusal(() => store.take(key as "optional").write(value as string))).code,
        key,
      ).toBe("KV_VALIDATION");
    expect(await store.keys()).toEqual([]);
    const makers: readonly ((value: never) => unknown)[] = [
      (value) => (Object.hasOwn(value, "b") ? { a: 1 } : { a: 1, b: 2 }),
      (value) => (Array.isArray(value) ? {} : []),
      // In the value itself.
      (value: number[]) => value.reverse(),
    ];
    for (const make of makers) {
      const schema: StandardSchema = {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => ({ value: make(value as never) }),
        },
      };
      expect(
        (
          await refusal(() =>
            DynamicStore("s", schema)
              .take("a")
              .write(make === makers[2] ? [1, 2] : {}),
          )
        ).code,
        String(make),
      ).toBe("KV_VALIDATION");
    }
  });

  it("is rejected where it was written with another codec, and may look like that", async () => {
    const inner = kv(new Map());
    const at = (store: Store) => StaticStore("s", { value: z.unknown() }, { store }).take("value");
    await at(kv(inner, { codec: rich as never })).write({ date: new Date(0) });
    const error = { code: "KV_CORRUPT", client: "MEMORY", key: "s:value" };
    expect(await refusal(() => at(inner).read())).toMatchObject(error);
    const lookalike = { $codec: "rich", value: 1 };
    for (const store of [inner, kv(inner, { codec: rich as never })]) {
      for (const value of [lookalike, null, { $rich: [1] }]) {
        await at(store).write(value);
        expect(await at(store).read()).toEqual(value);
      }
    }
  });

  it("may hold the values of a codec: a Date works with one alone", async () => {
    const plain = DynamicStore("dates", z.object({ born: z.date() })).take("a");
    expect(await refusal(() => plain.write({ born: new Date(0) }))).toMatchObject({
      code: "KV_INVALID_VALUE",
      message: expect.stringContaining("value.born is a Date"),
    });
    const inner = kv(new Map(), { codec: rich });
    const store = StaticStore(
      "s",
      {
        dates: DynamicStore("dates", z.object({ born: z.date(), big: z.bigint() })),
        set: "set",
        number: "number",
      },
      { store: inner },
    );
    const kept = store.take("dates").take("a");
    expect(await kept.write({ born: new Date(5), big: 10n })).toEqual({
      born: new Date(5),
      big: 10n,
    });
    expect(await kept.update(({ big }) => ({ big: big + 1n }))).toEqual({
      born: new Date(5),
      big: 11n,
    });
    expect(await kept.read()).toEqual({ born: new Date(5), big: 11n });
    const reader = kept.watch().getReader();
    expect((await reader.read()).value).toEqual({ born: new Date(5), big: 11n });
    await reader.cancel();
    // Everything else is kept without it.
    await store.take("set").add("x");
    expect([await store.take("set").has("x"), await store.take("number").increment()]).toEqual([
      true,
      1,
    ]);
  });

  it("may fail in its own way", async () => {
    const throwing: StandardSchema<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => {
          throw new Error("secret 4711");
        },
      },
    };
    const rejecting: StandardSchema<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async () => ({
          issues: [{ message: "no", path: [{ key: "a" }, Symbol("s"), "b c"] }],
        }),
      },
    };
    const many: StandardSchema<string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => ({
          issues: [..."abcdefga"].map((key) => ({ message: "no", path: [key] })),
        }),
      },
    };
    const error = await refusal(() => DynamicStore("s", many).take("a").write("x"));
    expect([error.message, error.issues.length]).toEqual([
      "value.a, value.b, value.c, value.d, value.e and 2 more does not fit the schema " +
        'of "s:a": see the issues',
      8,
    ]);
    for (const result of [
      undefined,
      null,
      "no",
      { issues: [{ message: "no", path: 5 }] },
      { issues: 5 },
    ]) {
      const odd: StandardSchema<string> = {
        "~standard": { version: 1, vendor: "test", validate: () => result as never },
      };
      expect(
        (await refusal(() => DynamicStore("s", odd).take("a").write("x"))).code,
        JSON.stringify(result),
      ).toBe("KV_VALIDATION");
    }
    expect(await refusal(() => DynamicStore("s", throwing).take("a").write("x"))).toMatchObject({
      code: "KV_VALIDATION",
      cause: { message: "secret 4711" },
      message: expect.not.stringContaining("4711"),
    });
    expect(await refusal(() => DynamicStore("s", rejecting).take("a").write("x"))).toMatchObject({
      message: 'value.a[Symbol(s)]["b c"] does not fit the schema of "s:a": see the issues',
    });
  });
});

describe("update()", () => {
  const anything: StandardSchema = {
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) },
  };
  const values = StaticStore("s", {
    any: anything,
    array: z.array(z.number()),
    optional: z.object({ a: z.number(), b: z.string().optional() }),
  });

  it("is not called for an absent value, and is for a value that only looks absent", async () => {
    let calls = 0;
    expect([await values.take("any").update(() => (calls++, 1)), calls]).toEqual([undefined, 0]);
    for (const value of [0, "", false, null]) {
      await values.take("any").write(value);
      expect(await values.take("any").update((found) => [found])).toEqual([value]);
      expect(await values.take("any").read()).toEqual([value]);
    }
  });

  it("replaces a value that is no object, and removes undefined members", async () => {
    await values.take("array").write([1, 2]);
    expect(await values.take("array").update((all) => [...all, 3])).toEqual([1, 2, 3]);
    for (const [before, patch, after] of [
      [5, 6, 6],
      [5, { a: 1 }, { a: 1 }],
      [{ a: 1 }, 5, 5],
      [{ a: 1 }, [1], [1]],
      [[1], { a: 1 }, { a: 1 }],
      [{ a: { x: 1 } }, { a: { y: 2 } }, { a: { y: 2 } }],
      [{ a: 1 }, JSON.parse('{"__proto__":{"x":1}}'), JSON.parse('{"a":1,"__proto__":{"x":1}}')],
    ] as const) {
      await values.take("any").write(before as never);
      expect(await values.take("any").update(() => patch as never)).toEqual(after);
    }
    await values.take("optional").write({ a: 1, b: "x" });
    const updated = await values.take("optional").update(() => ({ b: undefined as never }));
    expect([updated, Object.keys(updated!)]).toEqual([{ a: 1 }, ["a"]]);
  });

  it("changes nothing when the change throws, answers nothing, or does not fit", async () => {
    const field = values.take("optional");
    await field.write({ a: 1 });
    await expect(
      field.update(() => {
        throw new RangeError("mine");
      }),
    ).rejects.toThrow(RangeError);
    await expect(field.update(async () => Promise.reject(new RangeError("mine")))).rejects.toThrow(
      RangeError,
    );
    expect((await refusal(() => field.update(() => ({ a: "x" as never })))).code).toBe(
      "KV_VALIDATION",
    );
    expect(
      await field.update((value) => {
        value.a = 9;
        return undefined;
      }),
    ).toEqual({ a: 1 });
    expect((await refusal(() => field.update({ a: 2 } as never))).code).toBe("KV_INVALID_VALUE");
    expect(await field.read()).toEqual({ a: 1 });
  });
});

describe("versions", () => {
  const Person = (
    migrate: (value: unknown, from: number) => unknown,
  ): ReturnType<typeof json<{ first: string; last: string }, { first: string; last: string }>> =>
    json(z.object({ first: z.string(), last: z.string() }), { version: 3, migrate });
  const whole = (value: unknown, from: number): unknown => {
    const { name, last } = value as { name: string; last?: string };
    return from === 1
      ? { first: name.split(" ")[0], last: name.split(" ")[1] }
      : { first: name, last };
  };

  it("migrate old data when it is read, once, and keep its deadline", async () => {
    const inner = kv(new Map());
    await DynamicStore("p", z.object({ name: z.string() }), { store: inner })
      .take("one")
      .write({ name: "Ann Lee" }, { expires: new Date("2999-01-01") });
    await DynamicStore(
      "p",
      json(z.object({ name: z.string(), last: z.string() }), {
        version: 2,
        migrate: (value) => value,
      }),
      { store: inner },
    )
      .take("two")
      .write({ name: "Bob", last: "Ray" });
    const asked: number[] = [];
    const store = DynamicStore(
      "p",
      Person(async (value, from) => (asked.push(from), whole(value, from))),
      { store: inner },
    );
    for (let i = 0; i < 2; i++)
      expect(Object.fromEntries(await store.entries())).toEqual({
        one: { first: "Ann", last: "Lee" },
        two: { first: "Bob", last: "Ray" },
      });
    expect(asked.sort()).toEqual([1, 2]);
    expect([await inner.get("p:one"), (await inner.entry("p:one"))!.expires]).toEqual([
      { json: { first: "Ann", last: "Lee" }, version: 3 },
      Date.parse("2999-01-01"),
    ]);
    await inner.set("p:three", { json: { name: "Eve Poe" } });
    expect(await store.take("three").update(() => ({ first: "E." }))).toEqual({
      first: "E.",
      last: "Poe",
    });
    expect(await inner.get("p:three")).toEqual({ json: { first: "E.", last: "Poe" }, version: 3 });
  });

  it("leave a value that cannot be migrated unchanged", async () => {
    const inner = kv(new Map());
    const cases: readonly [unknown, (value: unknown, from: number) => unknown][] = [
      [
        { json: { name: "Ann" } },
        () => {
          throw new Error("no way");
        },
      ],
      [{ json: { name: "Ann" } }, () => ({ first: 5 })],
      [{ json: { name: "Ann" } }, async () => Promise.reject(new Error("no way"))],
      [{ json: { first: "a", last: "b" }, version: 4 }, (value) => value],
      [{ json: { first: "a", last: "b" }, version: "3" }, (value) => value],
      [{ json: { first: 5, last: "b" }, version: 3 }, whole],
    ];
    for (const [raw, migrate] of cases) {
      await inner.set("p:x", raw as never);
      const field = DynamicStore("p", Person(migrate), { store: inner }).take("x");
      for (const work of [() => field.read(), () => field.update(() => ({ first: "b" }))])
        expect((await refusal(work)).code).toBe("KV_VALIDATION");
      expect(await inner.get("p:x")).toEqual(raw);
      expect(await field.exists()).toBe(true);
    }
    expect(
      await DynamicStore("p", Person(whole), { store: inner })
        .take("x")
        .write({ first: "new", last: "one" }),
    ).toEqual({ first: "new", last: "one" });
  });

  it("do not undo a write of another process while they migrate", async () => {
    const inner = kv(new Map());
    await inner.set("p:x", { json: { name: "Ann Lee" } });
    const fast = DynamicStore("p", Person(whole), { store: inner }).take("x");
    const slow = DynamicStore(
      "p",
      Person(
        async (value, from) => (
          await fast.write({ first: "newer", last: "one" }),
          whole(value, from)
        ),
      ),
      { store: inner },
    ).take("x");
    expect(await slow.read()).toEqual({ first: "Ann", last: "Lee" });
    expect(await slow.read()).toEqual({ first: "newer", last: "one" });
  });

  it("are whole numbers from 1, and go with a way to them", async () => {
    for (const version of [0, -1, 1.5, NaN, "2"])
      expect(
        (
          await refusal(() =>
            json(z.string(), { version: version as number, migrate: (value) => value }),
          )
        ).code,
      ).toBe("KV_INVALID_VALUE");
    expect((await refusal(() => json(z.string(), { version: 2 }))).code).toBe("KV_INVALID_VALUE");
    for (const wrong of [2, "2", null])
      expect((await refusal(() => json(z.string(), wrong as never))).code, String(wrong)).toBe(
        "KV_INVALID_VALUE",
      );
    expect((await refusal(() => json("string" as never))).code).toBe("KV_INVALID_VALUE");
  });
});
