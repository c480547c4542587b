import { expect } from "vitest";
import {
  appOn,
  appsOn,
  byBytes,
  CHANGES,
  fieldOf,
  KINDS,
  mistaken,
  SAMPLES,
  valueOf,
} from "./app.ts";
import { bitset, DynamicStore } from "../../../src/schema/index.ts";
import type { Case, SchemaSubject } from "../schema-suite.ts";

const HOSTILE = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  '"',
  "\\",
  "'; --",
  "__proto__",
  "constructor",
  "456",
  "null",
  "{}",
  "\n\r\t",
  "é",
  "e\u0301",
  "漢字",
  "🎉",
  "%3A",
  ":",
  "x".repeat(5000),
];

/** What fields keep, and what they refuse. */
export function values(test: Case, { large = 2_000_000 }: SchemaSubject): void {
  test("keeps, rewrites, tells and removes every kind", async (store) => {
    const app = appOn(store);
    for (const kind of KINDS) {
      const field = fieldOf(app, kind);
      expect(
        [await valueOf(app, kind), await field.exists(), await field.touch("1h")],
        kind,
      ).toEqual([undefined, false, false]);
      await field.erase();
      await SAMPLES[kind](app);
      const before = await valueOf(app, kind);
      expect(
        [before !== undefined, await field.exists(), await field.touch("1h"), field.key],
        kind,
      ).toEqual([true, true, true, `app:${kind}`]);
      await CHANGES[kind](app);
      await SAMPLES[kind](app);
      expect(await valueOf(app, kind), kind).toEqual(before);
    }
    expect((await app.keys()).sort()).toEqual([...KINDS].sort());
    expect((await appOn(store).entries()).map(([key]) => key).sort()).toEqual([...KINDS].sort());
    for (const kind of KINDS) await fieldOf(app, kind).erase();
    expect([await app.keys(), await app.exists()]).toEqual([[], false]);
  });

  test("refuses one kind where another is kept, and keeps that", async (store) => {
    const apps = appsOn(store);
    for (const kept of KINDS) {
      await SAMPLES[kept](apps.take(kept));
      const before = await valueOf(apps.take(kept), kept);
      await Promise.all(
        KINDS.filter((kind) => kind !== kept).map(async (kind) => {
          const other = mistaken(store, kept, kind);
          const refused = {
            read: () => valueOf(other, kind),
            write: () => SAMPLES[kind](other),
            change: () => CHANGES[kind](other),
            exists: () => fieldOf(other, kind).exists(),
            touch: () => fieldOf(other, kind).touch("1h"),
          };
          for (const [what, work] of Object.entries(refused)) {
            await expect(work(), `${what} ${kind} where there is ${kept}`).rejects.toMatchObject({
              code: "KV_FOREIGN",
              key: expect.stringMatching(`apps:${kept}:${kept}$`),
            });
          }
        }),
      );
      expect(await valueOf(apps.take(kept), kept)).toEqual(before);
    }
    const asString = mistaken(store, "set", "string").take("string");
    await asString.erase();
    await asString.write("text");
    expect(await asString.read()).toBe("text");
  });

  test("keeps any text in every place for one", async (store) => {
    const app = appOn(store);
    await app.take("set").write(HOSTILE);
    expect([...(await app.take("set").read())!].sort()).toEqual([...HOSTILE].sort());
    expect(await app.take("set").add(HOSTILE)).toBe(0);
    await app.take("list").write(HOSTILE);
    expect(await app.take("list").read()).toEqual(HOSTILE);
    const entries = HOSTILE.map((text, i) => [text, HOSTILE.at(-i - 1)!] as const);
    await app.take("hash").write(entries);
    expect(Object.entries((await app.take("hash").read())!).sort()).toEqual(entries.toSorted());
    expect(await app.take("hash").get("__proto__")).toBe(
      entries.find(([name]) => name === "__proto__")![1],
    );
    // What is a value now is no name any more.
    await app.take("hash").write({ a: "constructor" });
    expect(await app.take("hash").read()).toEqual({ a: "constructor" });
    await app.take("sorted").write(HOSTILE.map((text) => [text, 0] as const));
    expect([...(await app.take("sorted").read())!.keys()]).toEqual(HOSTILE.toSorted(byBytes));
    for (const text of [...HOSTILE, "lone \ud800"]) {
      await app.take("string").write(text);
      expect(await app.take("string").read()).toBe(text);
    }
    for (const refused of [
      () => app.take("set").add("\ud800"),
      () => app.take("list").push("\ud800"),
      () => app.take("hash").set("a", "\ud800"),
      () => app.take("sorted").add("\ud800", 1),
      () => app.take("set").has("\ud800"),
    ]) {
      await expect(refused()).rejects.toMatchObject({ code: "KV_VALIDATION" });
    }
  });

  test("counts places as slice does", async (store) => {
    const [list, sorted] = [appOn(store).take("list"), appOn(store).take("sorted")];
    const items = ["a", "b", "c"];
    await Promise.all([list.write(items), sorted.write(items.map((item) => [item, 0]))]);
    const places = [-(2 ** 53) + 1, -2, -1, 0, 1, 3, 2 ** 53 - 1];
    const ranges = places.flatMap((start) =>
      [...places, undefined].map((end) => [start, end] as const),
    );
    for (const [read, all] of [
      [(...range: readonly [number, number?]) => list.range(...range), items],
      [
        async (start: number, end?: number) =>
          (await sorted.range(start, end)).map(([item]) => item),
        items,
      ],
      [
        async (start: number, end?: number) =>
          (await sorted.range(start, end, { reverse: true })).map(([item]) => item),
        items.toReversed(),
      ],
    ] as const) {
      expect(await Promise.all(ranges.map(([start, end]) => read(start, end)))).toEqual(
        ranges.map(([start, end]) => all.slice(start, end)),
      );
    }
    for (const [start, end] of [
      [-1, -1],
      [1, 3],
      [0, 0],
      [5, undefined],
    ] as const) {
      await list.write(items);
      await list.trim(start, end);
      expect(await list.range(), `${start} ${end}`).toEqual(items.slice(start, end));
    }
  });

  test("takes a large value, or refuses it and keeps the old one", async (store) => {
    const app = appOn(store);
    const text = "ü".repeat(large / 2);
    for (const write of [
      () => app.take("string").write(text),
      () => app.take("set").add(text),
      () => app.take("bytes").write(new Uint8Array((large * 3) / 8).fill(200)),
    ])
      await write();
    expect([
      await app.take("string").read(),
      await app.take("set").has(text),
      (await app.take("bytes").read())!.at(-1),
    ]).toEqual([text, true, 200]);
  });

  test("counts exactly", async (store) => {
    const number = appOn(store).take("number");
    expect([
      await number.increment(),
      await number.increment(-3),
      await number.increment(0.5),
    ]).toEqual([1, -2, -1.5]);
    await number.write(0.1);
    expect(await number.increment(0.2)).toBe(0.1 + 0.2);
    for (const value of [
      0,
      -0,
      1e300,
      -1e-300,
      5e-324,
      Number.MAX_SAFE_INTEGER,
      1.7976931348623157e308,
      123456789.123,
      1e21,
      1e-7,
    ]) {
      await number.write(value);
      expect(await number.read()).toBe(value + 0);
    }
    await number.write(Number.MAX_SAFE_INTEGER);
    await expect(number.increment()).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      key: expect.stringMatching("app:number$"),
    });
    expect([await number.increment(-1), await number.read()]).toEqual([
      Number.MAX_SAFE_INTEGER - 1,
      Number.MAX_SAFE_INTEGER - 1,
    ]);
    await number.write(1.7e308);
    await expect(number.increment(1.7e308)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(await number.read()).toBe(1.7e308);
    // Beyond what a server counts in itself.
    for (const large of [1e21, 1e19, 2 ** 63, 2 ** 53]) {
      await number.write(large);
      await expect(number.increment()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect([await number.increment(-large), await number.increment()]).toEqual([0, 1]);
    }
    for (const wrong of [NaN, Infinity, "5", null, 5n])
      await expect(number.write(wrong as number)).rejects.toMatchObject({ code: "KV_VALIDATION" });
    await expect(number.increment(NaN)).rejects.toMatchObject({ code: "KV_VALIDATION" });
  });

  test("counts in bits: signed, wrapping, exact", async (store) => {
    const small = appOn(store).take("small");
    expect([await small.read(0), await small.sum(0, 100), await small.exists()]).toEqual([
      undefined,
      0,
      false,
    ]);
    await small.write(2, 200);
    expect([
      await small.read(2),
      await small.read(0),
      await small.read(9999),
      await small.increment(2, -73),
      await small.exists(),
    ]).toEqual([-56, 0, 0, 127, true]);
    expect([
      await small.increment(2),
      await small.increment(5, 300),
      await small.sum(0, 6),
      await small.sum(2, 3),
      await small.sum(5, 2),
      await small.sum(0, Infinity),
    ]).toEqual([-128, 44, -84, -128, 0, -84]);
    for (const wrong of [-1, 0.5, NaN, "0", 2n])
      await expect(small.read(wrong as number), String(wrong)).rejects.toMatchObject({
        code: "KV_VALIDATION",
      });
    for (const wrong of [0.5, NaN, "0", 2n, 2 ** 60])
      await expect(small.write(0, wrong as number), String(wrong)).rejects.toMatchObject({
        code: "KV_VALIDATION",
      });
    await expect(small.sum(-1, 5)).rejects.toMatchObject({ code: "KV_VALIDATION" });
    expect([
      await small.read(2 ** 25 - 1),
      await small.sum(2 ** 53 - 1, Infinity),
      await small.sum(Infinity, Infinity),
    ]).toEqual([0, 0, 0]);
    await expect(small.write(2 ** 25, 1)).rejects.toMatchObject({ code: "KV_TOO_LARGE" });

    const wide = appOn(store).take("wide");
    const [min, max] = [-(2n ** 63n), 2n ** 63n - 1n];
    await wide.write(3, max);
    expect([
      await wide.read(3),
      await wide.read(0),
      await wide.increment(3),
      await wide.increment(0, -5n),
    ]).toEqual([max, 0n, min, -5n]);
    await wide.write(1, 2n ** 64n + 9007199254740993n);
    expect([await wide.read(1), await wide.sum(0, 4), await wide.sum(0, 3)]).toEqual([
      9007199254740993n,
      min + 9007199254740988n,
      9007199254740988n,
    ]);
    await expect(wide.write(0, 5 as never)).rejects.toMatchObject({ code: "KV_VALIDATION" });
    for (const bits of [2, 7, 31, 32, 33, 53, 54, 63]) {
      // Numbers up to 53 bits, bigints from 54 on.
      const typed = (value: bigint): never => (bits < 54 ? Number(value) : value) as never;
      const field = DynamicStore("widths", bitset(bits), { store }).take(String(bits));
      const [least, most] = [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
      await Promise.all(
        [least, most, -1n, 1n].map((value, index) => field.write(2 * index, typed(value))),
      );
      expect(
        [
          await field.read(0),
          await field.read(2),
          await field.read(4),
          await field.read(6),
          await field.read(1),
        ],
        String(bits),
      ).toEqual([least, most, -1n, 1n, 0n].map(typed));
      expect(
        [
          await field.sum(0, 99),
          await field.increment(0, typed(-1n)),
          await field.increment(2, typed(1n)),
          await field.sum(0, 99),
        ],
        String(bits),
      ).toEqual([-1n, most, least, -1n].map(typed));
    }
    const large = DynamicStore("widths", bitset(53), { store }).take("sum");
    for (const index of [0, 1, 2, 3]) await large.write(index, 2 ** 52 - 1);
    expect(await large.sum(0, 2)).toBe(2 ** 53 - 2);
    await expect(large.sum(0, 4)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    await small.erase();
    await small.write(0, 0);
    expect([await small.read(0), await small.exists()]).toEqual([0, true]);
  });
}
