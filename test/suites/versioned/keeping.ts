import { expect } from "vitest";
import type { Key, VersionedStore } from "../../../src/versioned/index.ts";
import { until } from "../../support/daemon.ts";
import type { Case, VersionedSubject } from "../versioned-suite.ts";

const VERSION = /^[0-9a-f]{20}$/;

/** Keys that an encoding could confuse, none like another. */
export const HOSTILE_KEYS: readonly Key[] = [
  ["a", "b"],
  ["a b"],
  ["a/b"],
  ["a", "", "b"],
  ["a", "b", ""],
  [""],
  ["", ""],
  [" "],
  ["!"],
  ["!!"],
  ["~"],
  ["~n"],
  ["~tt"],
  ["!!~"],
  ["1"],
  [1],
  [1n],
  [true],
  [false],
  [0],
  [-0],
  [0n],
  [NaN],
  [Infinity],
  [-Infinity],
  [-1n],
  [2n ** 64n],
  [-(2n ** 100n)],
  [0.1],
  [5e-324],
  [new Uint8Array()],
  [Uint8Array.of(0)],
  [Uint8Array.of(0, 255)],
  [Uint8Array.of(97)],
  [Uint8Array.of(97), "a"],
  ["__proto__"],
  ["constructor", "prototype"],
  ["../../x"],
  ["\0"],
  ["a\0b"],
  ["a\nb"],
  ["\u00e9"],
  ["e\u0301"],
  ["🎉"],
  ["\uffff"],
  ["*?[a]%_"],
  ["x".repeat(300)],
];

const WRONG_KEYS: readonly unknown[] = [
  [],
  "a",
  null,
  undefined,
  1,
  {},
  [null],
  [undefined],
  [{}],
  [["a"]],
  [new Date()],
  [Symbol("a")],
  [new ArrayBuffer(1)],
  ["\ud800"],
  [2n ** 2040n],
  Array(1),
];

const WRONG_VALUES: readonly unknown[] = [
  () => 1,
  Symbol("a"),
  NaN,
  Infinity,
  { at: NaN },
  [() => 1],
  { deep: { big: 1n } },
];

const refusal = (code: string): unknown => expect.objectContaining({ name: "KvError", code });

/** What somebody is refused: `undefined` when they are not. */
async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Keys, values, versions, expiry and the end of a store. */
export function keeping(test: Case, { keyBytes, another }: VersionedSubject): void {
  test("a missing key is an entry of nulls", async (store) => {
    expect(await store.get(["a", 1])).toStrictEqual({ key: ["a", 1], value: null, version: null });
    expect(await store.getMany([["a"], ["b"], ["a"]])).toStrictEqual(
      ["a", "b", "a"].map((key) => ({ key: [key], value: null, version: null })),
    );
    expect(await store.getMany([])).toStrictEqual([]);
  });

  test("set() resolves to the entry, which get() finds", async (store) => {
    const made = await store.set(["users", "1"], { name: "Ann" });
    expect(made).toStrictEqual({
      ok: true,
      key: ["users", "1"],
      value: { name: "Ann" },
      version: expect.stringMatching(VERSION) as string,
    });
    const { ok: _, ...entry } = made;
    expect(await store.get(["users", "1"])).toStrictEqual(entry);
    expect(await store.getMany([["users"], ["users", "1"], ["users", "1"]])).toStrictEqual([
      { key: ["users"], value: null, version: null },
      entry,
      entry,
    ]);
  });

  test("null and everything falsy are values", async (store) => {
    const values = [
      null,
      0,
      "",
      false,
      [],
      {},
      0n,
      -1n,
      2n ** 70n,
      [null],
      { "~": "null" },
      { "~": "bigint", value: "1" },
      { "~": { "~": "object" } },
      "~",
      JSON.parse('{"__proto__":1}'),
      "x".repeat(9000),
    ];
    for (const [i, value] of values.entries()) {
      const { version } = await store.set(["v", i], value);
      expect(await store.get(["v", i])).toStrictEqual({ key: ["v", i], value, version });
    }
    const listed: unknown[] = [];
    for await (const { value } of store.list({ prefix: ["v"] })) listed.push(value);
    expect(listed).toStrictEqual(values);
    await store.set(["u"], undefined);
    expect(await store.get(["u"])).toMatchObject({
      value: null,
      version: expect.stringMatching(VERSION) as string,
    });
    expect(await store.delete(["u"])).toBe(true);
  });

  test("every write has a new version, larger than those before", async (store) => {
    const versions: string[] = [];
    for (let i = 0; i < 5; i++) {
      versions.push((await store.set(["a"], "same")).version);
      const commit = await store.atomic().set(["a"], "same").sum(["n"], 1n).commit();
      if (commit.ok) versions.push(commit.version);
      expect((await store.get(["n"])).version).toBe(versions.at(-1));
    }
    expect(versions.length).toBe(10);
    expect(versions).toStrictEqual([...new Set(versions)].sort());
    await store.delete(["a"]);
    expect((await store.get(["a"])).version).toBe(null);
    expect((await store.set(["a"], 1)).version > versions.at(-1)!).toBe(true);
  });

  test("delete() tells whether something was there, one of many at once", async (store) => {
    expect(await store.delete(["a"])).toBe(false);
    await store.set(["a"], null);
    const deleted = await Promise.all(Array.from({ length: 10 }, () => store.delete(["a"])));
    expect(deleted.filter(Boolean).length).toBe(1);
    expect(await store.delete(["a"])).toBe(false);
  });

  test("no key is taken for another, and all come back", async (store) => {
    const versions = await Promise.all(
      HOSTILE_KEYS.map(async (key, i) => (await store.set(key, i)).version),
    );
    expect(
      (await store.getMany(HOSTILE_KEYS)).map(({ key, value, version }) => [key, value, version]),
    ).toStrictEqual(HOSTILE_KEYS.map((key, i) => [key, i, versions[i]]));
    const listed = new Map<unknown, unknown>();
    for await (const { key, value } of store.list({ prefix: [] })) listed.set(value, key);
    expect(listed).toStrictEqual(new Map(HOSTILE_KEYS.map((key, i) => [i, key])));
    for (const key of HOSTILE_KEYS) expect(await store.delete(key)).toBe(true);
    for await (const entry of store.list({ prefix: [] })) expect.unreachable(String(entry.value));
  });

  test("bytes of any view are bytes", async (store) => {
    const { buffer } = Uint8Array.of(9, 1, 2, 9);
    await store.set([new DataView(buffer, 1, 2) as never], 1);
    expect(await store.get([Uint8Array.of(1, 2)])).toMatchObject({
      key: [Uint8Array.of(1, 2)],
      value: 1,
    });
  });

  test("invalid keys are refused", async (store) => {
    for (const wrong of WRONG_KEYS as Key[]) {
      const codes = await Promise.all(
        [
          () => store.get(wrong),
          () => store.set(wrong, 1),
          () => store.delete(wrong),
          () => store.getMany([["a"], wrong]),
        ].map(codeOf),
      );
      expect([wrong, codes]).toStrictEqual([wrong, Array(4).fill("KV_INVALID_KEY")]);
      for (const call of [
        () => store.atomic().set(wrong, 1),
        () => store.atomic().delete(wrong),
        () => store.atomic().sum(wrong, 1n),
        () => store.atomic().check({ key: wrong, version: null }),
        () => store.watch([wrong]),
      ])
        expect(call).toThrow(refusal("KV_INVALID_KEY") as Error);
    }
    for (const none of [null, undefined, "ab", {}] as never[])
      expect([
        await codeOf(() => store.getMany(none)),
        await codeOf(async () => store.watch(none)),
      ]).toStrictEqual(Array(2).fill("KV_INVALID_KEY"));
    if (keyBytes === undefined) return;
    const long = ["x".repeat(keyBytes + 1)];
    expect(
      await Promise.all(
        [
          () => store.get(long),
          () => store.set(long, 1),
          () => store.delete(long),
          () => store.atomic().set(["a"], 1).set(long, 1).commit(),
        ].map(codeOf),
      ),
    ).toStrictEqual(Array(4).fill("KV_TOO_LARGE"));
    expect((await store.get(["a"])).version).toBe(null);
  });

  test("invalid values are refused, and the old value stays", async (store) => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const before = await store.set(["a"], "before");
    for (const wrong of [...WRONG_VALUES, cycle]) {
      expect(await codeOf(() => store.set(["a"], wrong))).toBe("KV_INVALID_VALUE");
      expect(await codeOf(() => store.atomic().set(["b"], 1).set(["a"], wrong).commit())).toBe(
        "KV_INVALID_VALUE",
      );
    }
    expect(await store.getMany([["a"], ["b"]])).toMatchObject([
      { version: before.version },
      { version: null },
    ]);
  });

  test("changes after the call do not count", async (store) => {
    const [key, value] = [["a"], { n: 1 }];
    const made = store.set(key, value);
    const bytes = Uint8Array.of(1);
    const commit = store
      .atomic()
      .set([...key, "b"], value)
      .set([bytes], value);
    [key[0], value.n, bytes[0]] = ["x", 2, 9];
    expect((await made).key).toStrictEqual(["a"]);
    await commit.commit();
    expect(
      (await store.getMany([["a"], ["a", "b"], [Uint8Array.of(1)]])).map((entry) => entry.value),
    ).toStrictEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
    const { value: got } = await store.get<{ n: number }>(["a"]);
    got!.n = 3;
    expect((await store.get(["a"])).value).toStrictEqual({ n: 1 });
  });

  test("an entry is gone from its deadline on, everywhere", async (store) => {
    await store.set(["e", 1], 1, { expireIn: 60 });
    await store.set(["e", 2], 2, { expires: "1h" });
    await store.set(["e", 3], 3, { expires: new Date(Date.now() + 60) });
    await store
      .atomic()
      .set(["e", 4], 4, { expireIn: 60 })
      .set(["e", 5], 5, { expireIn: 3_600_000 })
      .commit();
    await store.set(["e", 6], 6, { expireIn: 60 });
    await store.set(["e", 6], 6);
    await until("they are gone", async () =>
      (
        await store.getMany([
          ["e", 1],
          ["e", 3],
          ["e", 4],
        ])
      ).every(({ version }) => version === null),
    );
    const left: unknown[] = [];
    for await (const { value } of store.list({ prefix: ["e"] })) left.push(value);
    expect(left).toStrictEqual([2, 5, 6]);
    expect(await store.delete(["e", 1])).toBe(false);
    expect(
      (
        await store
          .atomic()
          .check({ key: ["e", 1], version: null })
          .set(["e", 1], 1)
          .commit()
      ).ok,
    ).toBe(true);
    await store.set(["z"], 1);
    expect(await store.set(["z"], 1, { expireIn: 0 })).toMatchObject({ ok: true });
    expect((await store.get(["z"])).version).toBe(null);
  });

  test("a deadline that cannot be read is refused, and nothing is written", async (store) => {
    for (const options of [
      { expireIn: -1 },
      { expireIn: 1.5 },
      { expireIn: NaN },
      { expireIn: Infinity },
      { expireIn: Number.MAX_SAFE_INTEGER },
      { expireIn: "60" },
      { expireIn: 1, expires: 1 },
      { expires: "10 minuts" },
      { expires: NaN },
      "1h",
      60,
      new Date(),
    ] as never[]) {
      expect([options, await codeOf(() => store.set(["a"], 1, options))]).toStrictEqual([
        options,
        "KV_INVALID_EXPIRES",
      ]);
      expect([
        options,
        await codeOf(() => store.atomic().set(["b"], 1).set(["a"], 1, options).commit()),
      ]).toStrictEqual([options, "KV_INVALID_EXPIRES"]);
    }
    expect(() => store.atomic().set(["a"], 1, { expireIn: -1 })).toThrow(
      refusal("KV_INVALID_EXPIRES") as Error,
    );
    expect(await store.getMany([["a"], ["b"]])).toMatchObject([
      { version: null },
      { version: null },
    ]);
  });

  test("two who read, compute and check lose nothing", async (store) => {
    const other = (await another?.()) ?? store;
    const increment = async (each: VersionedStore): Promise<void> => {
      for (let done = 0; done < 10;) {
        const { key, value, version } = await each.get<number>(["n"]);
        if (
          (
            await each
              .atomic()
              .check({ key, version })
              .set(key, (value ?? 0) + 1)
              .commit()
          ).ok
        )
          done++;
      }
    };
    await Promise.all([increment(store), increment(other), increment(store)]);
    expect((await other.get(["n"])).value).toBe(30);
    if (other !== store) await other.close();
  });

  test("a closed store refuses everything, and is closed twice", async (store) => {
    const prepared = store.atomic().set(["a"], 1);
    const list = store.list({ prefix: [] });
    await store.close();
    await store.close();
    store[Symbol.dispose]();
    const calls = [
      () => store.get(["a"]),
      () => store.getMany([["a"]]),
      () => store.set(["a"], 1),
      () => store.delete(["a"]),
      () => prepared.commit(),
      () => store.atomic().commit(),
      () => list.next(),
      () => store.list({ prefix: [] }).next(),
      () =>
        store
          .watch([["a"]])
          .getReader()
          .read(),
    ];
    expect(await Promise.all(calls.map(codeOf))).toStrictEqual(calls.map(() => "KV_CLOSED"));
  });

  test("is closed at the end of a block by `using`", async (store) => {
    await store.set(["a"], 1);
    store[Symbol.dispose]();
    expect(await codeOf(() => store.get(["a"]))).toBe("KV_CLOSED");
  });
}
