import { expect } from "vitest";
import type {
  Key,
  Selector,
  VersionedEntry,
  VersionedList,
  VersionedListOptions,
  VersionedStore,
} from "../../../src/versioned/index.ts";
import type { Case } from "../versioned-suite.ts";

const LETTERS = ["a", "b", "c", "d", "e"];

/** All keys of a listing, as texts with dots. */
async function all(list: AsyncIterable<VersionedEntry>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of list) keys.push(key.join("."));
  return keys;
}

/** The codes of what is thrown at once and of what the iteration rejects with. */
async function codes(
  make: () => VersionedList<unknown>,
): Promise<[sync: string | null, later: string | null]> {
  let list: VersionedList<unknown>;
  try {
    list = make();
  } catch (error) {
    return [(error as { code: string }).code, null];
  }
  return list.next().then(
    () => [null, null],
    (error: { code: string }) => [null, error.code],
  );
}

async function fill(store: VersionedStore): Promise<void> {
  const transaction = store.atomic();
  for (const [i, letter] of LETTERS.entries()) transaction.set(["l", letter], i);
  for (const key of [["l"], ["l", "b", "x"], ["k", "z"], ["la"], ["m"], ["l", 1], ["l!"]] as Key[])
    transaction.set(key, "beside");
  await transaction.commit();
}

/** Selectors, order, pages and cursors. */
export function listing(test: Case): void {
  test("keys are listed in the order of types and values, part by part", async (store) => {
    const sorted: Key[] = [
      ...[[], [0], [0, 0], [0, 255], [1], [255], [255, 0]].map((bytes): Key => [
        Uint8Array.from(bytes),
      ]),
      ...[
        "",
        "\0",
        "\0\0",
        " ",
        "!",
        "A",
        "a",
        "a\0",
        "aa",
        "b",
        "~",
        "\x7f",
        "é",
        "\uffff",
        "😀",
      ].map((text): Key => [text]),
      ...[-(2n ** 70n), -256n, -255n, -1n, 0n, 1n, 255n, 256n, 2n ** 70n].map((big): Key => [big]),
      ...[-Infinity, -1.5, -5e-324, -0, 0, 5e-324, 1, 1.5, Infinity, NaN].map((number): Key => [
        number,
      ]),
      [false],
      [true],
      [true, "h"],
      [true, "h", "a"],
      [true, "h", "a", "b"],
      [true, "h", "b"],
    ];
    const shuffled = sorted.map((key, i) => [key, i] as const).sort(() => Math.random() - 0.5);
    await Promise.all(shuffled.map(([key, i]) => store.set(key, i)));
    const found: VersionedEntry[] = [];
    for await (const entry of store.list({ prefix: [] })) found.push(entry);
    expect(found.map(({ key }) => key)).toStrictEqual(sorted);
    expect(found.map(({ value }) => value)).toStrictEqual(sorted.map((_, i) => i));
    const back: unknown[] = [];
    for await (const { value } of store.list({ prefix: [] }, { reverse: true, batchSize: 7 }))
      back.push(value);
    expect(back).toStrictEqual(sorted.map((_, i) => i).reverse());
  });

  test("a selector is a prefix of whole parts, a range, or both", async (store) => {
    await fill(store);
    const cases: [Selector, string[]][] = [
      [{ prefix: ["l"] }, ["l.a", "l.b", "l.b.x", "l.c", "l.d", "l.e", "l.1"]],
      [{ prefix: ["l", "b"] }, ["l.b.x"]],
      [{ prefix: ["nothing"] }, []],
      [
        { prefix: [] },
        ["k.z", "l", "l.a", "l.b", "l.b.x", "l.c", "l.d", "l.e", "l.1", "l!", "la", "m"],
      ],
      [{ prefix: ["l"], start: ["l", "c"] }, ["l.c", "l.d", "l.e", "l.1"]],
      [{ prefix: ["l"], start: ["l", "bb"] }, ["l.c", "l.d", "l.e", "l.1"]],
      [{ prefix: ["l"], end: ["l", "c"] }, ["l.a", "l.b", "l.b.x"]],
      [{ start: ["l", "b"], end: ["l", "d"] }, ["l.b", "l.b.x", "l.c"]],
      [
        { start: ["k"], end: ["m"] },
        ["k.z", "l", "l.a", "l.b", "l.b.x", "l.c", "l.d", "l.e", "l.1", "l!", "la"],
      ],
      [{ start: ["l", "b"], end: ["l", "b"] }, []],
      [
        { prefix: ["l"], start: undefined, end: undefined } as never,
        ["l.a", "l.b", "l.b.x", "l.c", "l.d", "l.e", "l.1"],
      ],
    ];
    for (const [selector, keys] of cases) {
      expect([selector, await all(store.list(selector))]).toStrictEqual([selector, keys]);
      expect([selector, await all(store.list(selector, { reverse: true }))]).toStrictEqual([
        selector,
        [...keys].reverse(),
      ]);
      expect([selector, await all(store.list(selector, { batchSize: 1 }))]).toStrictEqual([
        selector,
        keys,
      ]);
      expect([
        selector,
        await all(store.list(selector, { limit: 2, reverse: true })),
      ]).toStrictEqual([selector, [...keys].reverse().slice(0, 2)]);
    }
  });

  test("a wrong selector is refused at once, a wrong range by the iteration", async (store) => {
    const atOnce: [unknown, unknown?][] = [
      [{}],
      [null],
      [undefined],
      [{ start: ["a"] }],
      [{ end: ["a"] }],
      [{ prefix: ["a"], start: ["a", "b"], end: ["a", "c"] }],
      [{ prefix: undefined, start: ["a"], end: undefined }],
      ...[0, -1, 1.5, NaN, "5", null, Infinity].flatMap((wrong): [unknown, unknown][] => [
        [{ prefix: [] }, { limit: wrong }],
        [{ prefix: [] }, { batchSize: wrong }],
      ]),
    ];
    for (const [selector, options] of atOnce)
      expect([
        selector,
        options,
        await codes(() => store.list(selector as Selector, options as never)),
      ]).toStrictEqual([selector, options, ["KV_INVALID_VALUE", null]]);
    const later: [unknown, VersionedListOptions, string][] = [
      [{ prefix: ["a"], start: ["b"] }, {}, "KV_INVALID_KEY"],
      [{ prefix: ["a"], start: ["a"] }, {}, "KV_INVALID_KEY"],
      [{ prefix: ["a"], end: ["a"] }, {}, "KV_INVALID_KEY"],
      [{ prefix: ["a"], end: ["ab"] }, {}, "KV_INVALID_KEY"],
      [{ start: ["b"], end: ["a"] }, {}, "KV_INVALID_KEY"],
      [{ prefix: "a" }, {}, "KV_INVALID_KEY"],
      [{ prefix: [null] }, {}, "KV_INVALID_KEY"],
      [{ start: [], end: ["a"] }, {}, "KV_INVALID_KEY"],
      [{ prefix: [] }, { batchSize: 1001 }, "KV_INVALID_VALUE"],
      ...["", "?", "AAAA", "a b", null, 5].map(
        (cursor): [unknown, VersionedListOptions, string] => [
          { prefix: [] },
          { cursor: cursor as string },
          "KV_INVALID_CURSOR",
        ],
      ),
    ];
    for (const [selector, options, code] of later)
      expect([
        selector,
        options,
        await codes(() => store.list(selector as Selector, options)),
      ]).toStrictEqual([selector, options, [null, code]]);
  });

  test("a selector is copied", async (store) => {
    await fill(store);
    const prefix = ["l", "b"];
    const list = store.list({ prefix });
    prefix[1] = "c";
    expect(await all(list)).toStrictEqual(["l.b.x"]);
  });

  test("pages by cursor give the whole, in both directions, at any size", async (store) => {
    await fill(store);
    const whole = await all(store.list({ prefix: ["l"] }));
    for (const reverse of [false, true]) {
      for (const limit of [1, 2, 7, 100]) {
        const pages: string[][] = [];
        let cursor: string | undefined;
        do {
          const list: VersionedList<unknown> = store.list(
            { prefix: ["l"] },
            { limit, reverse, cursor },
          );
          pages.push(await all(list));
          cursor = list.cursor;
        } while (pages.at(-1)!.length > 0);
        expect(pages.flat()).toStrictEqual(reverse ? [...whole].reverse() : whole);
        expect(pages.slice(0, -2).every((page) => page.length === limit)).toBe(true);
      }
    }
  });

  test("a cursor points behind the last entry, and survives its deletion", async (store) => {
    await fill(store);
    const selector = { prefix: ["l"] };
    const list = store.list(selector);
    expect(() => list.cursor).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CURSOR" }) as Error,
    );
    await list.next();
    await list.next();
    const { cursor } = list;
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(store.list(selector, { cursor }).cursor).toBe(cursor);
    expect(await all(store.list(selector, { cursor }))).toStrictEqual([
      "l.b.x",
      "l.c",
      "l.d",
      "l.e",
      "l.1",
    ]);
    await store.delete(["l", "b"]);
    await store.set(["l", "aa"], 1);
    expect(await all(store.list(selector, { cursor, limit: 2 }))).toStrictEqual(["l.b.x", "l.c"]);
    const rest: string[] = [];
    for await (const { key } of list) rest.push(key.join("."));
    expect(rest).toStrictEqual(["l.b.x", "l.c", "l.d", "l.e", "l.1"]);
    expect(await list.next()).toStrictEqual({ done: true, value: undefined });
    await store.set(["l", true], "later");
    expect(await all(store.list(selector, { cursor: list.cursor }))).toStrictEqual([]);
    const empty = store.list({ prefix: ["nothing"] });
    await empty.next();
    expect(await all(store.list({ prefix: ["nothing"] }, { cursor: empty.cursor }))).toStrictEqual(
      [],
    );
  });

  test("a cursor of another selector or direction is refused", async (store) => {
    await fill(store);
    const first = store.list({ prefix: ["l"] });
    await first.next();
    const finished = store.list({ prefix: ["l"] });
    await all(finished);
    for (const { cursor } of [first, finished]) {
      for (const [selector, reverse] of [
        [{ prefix: ["l"] }, true],
        [{ prefix: [] }, false],
        [{ prefix: ["m"] }, false],
        [{ start: ["l"], end: ["m"] }, false],
        [{ prefix: ["l"], start: ["l", "b"] }, false],
      ] as [Selector, boolean][]) {
        expect([
          selector,
          reverse,
          await codes(() => store.list(selector, { cursor, reverse })),
        ]).toStrictEqual([selector, reverse, [null, "KV_INVALID_CURSOR"]]);
      }
    }
  });

  test("entries that stay are listed once while others are written", async (store) => {
    const keys = Array.from({ length: 60 }, (_, i) => ["k", i] as const);
    await Promise.all(keys.map((key) => store.set(key, "old")));
    const seen: unknown[] = [];
    let made = 0;
    for await (const { key } of store.list({ prefix: ["k"] }, { batchSize: 5 })) {
      seen.push(key[1]);
      if (key[1] === 10)
        await Promise.all([
          store.delete(["k", 20]),
          store.delete(["k", 10]),
          store.delete(["k", 3]),
        ]);
      await store.set(["k", -1 - made++], "new");
      await store.set(["k", key[1] as number], "rewritten");
      if (made > 200) break;
    }
    const throughout = keys.map(([, i]) => i).filter((i) => i !== 20);
    expect(seen.filter((i) => throughout.includes(i as number))).toStrictEqual(throughout);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test("an iteration that is broken off is over", async (store) => {
    await fill(store);
    const list = store.list({ prefix: ["l"] }, { batchSize: 1 });
    for await (const _ of list) break;
    expect(await list.next()).toStrictEqual({ done: true, value: undefined });
    expect(
      await all(store.list({ prefix: ["l"] }, { cursor: list.cursor, limit: 1 })),
    ).toStrictEqual(["l.b"]);
    expect(list[Symbol.asyncIterator]()).toBe(list);
    const beforeFirst = store.list({ prefix: ["l"] });
    await beforeFirst.return?.();
    expect(await beforeFirst.next()).toStrictEqual({ done: true, value: undefined });
  });

  test("more entries than one request brings", async (store) => {
    for (let from = 0; from < 1200; from += 300) {
      const transaction = store.atomic();
      for (let i = from; i < from + 300; i++) transaction.set(["many", i], i);
      await transaction.commit();
    }
    for (const options of [{}, { batchSize: 1000 }, { reverse: true }]) {
      const values: number[] = [];
      for await (const { value } of store.list<number>({ prefix: ["many"] }, options))
        values.push(value);
      expect(values).toStrictEqual(
        options.reverse
          ? Array.from({ length: 1200 }, (_, i) => 1199 - i)
          : Array.from({ length: 1200 }, (_, i) => i),
      );
    }
  });
}
