import { expect } from "vitest";
import { StaticStore } from "../../../src/schema/index.ts";
import type { Case } from "../schema-suite.ts";
import { appOn, byBytes } from "./app.ts";

const names = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `m${from + i}`);

/** Collections that are too large for one record. */
export function large(test: Case): void {
  test("a set grows and shrinks through many parts", async (store) => {
    const set = appOn(store).take("set");
    const model = new Set<string>();
    const add = async (members: string[]): Promise<void> => {
      const before = model.size;
      for (const each of members) model.add(each);
      expect(await set.add(members)).toBe(model.size - before);
    };
    const remove = async (members: string[]): Promise<void> => {
      expect(await set.remove(members)).toBe(members.filter((each) => model.delete(each)).length);
    };
    await add(names(0, 100));
    // One at a time over the size that one record holds.
    for (let i = 100; i < 160; i++) await add([`m${i}`]);
    await add(names(150, 700));
    await add(["m5", "__proto__", "🎉"]);
    expect(await set.size()).toBe(model.size);
    expect([...(await set.read())!].sort()).toEqual([...model].sort());
    expect(await Promise.all(["m0", "m699", "m700", "🎉"].map((each) => set.has(each)))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    await remove(["m0", "m0-not"]);
    await remove(names(100, 650));
    expect([...(await set.read())!].sort()).toEqual([...model].sort());
    await remove(names(0, 700));
    expect([...(await set.read())!].sort()).toEqual([...model].sort());
    await remove([...model]);
    expect([await set.size(), await set.read(), await set.exists()]).toEqual([0, undefined, false]);
  });

  test("a hash and a sorted set keep the last value", async (store) => {
    const app = appOn(store);
    const [hash, sorted] = [app.take("hash"), app.take("sorted")];
    const texts = new Map(names(0, 400).map((name) => [name, "first"]));
    expect(await hash.setAll(texts)).toBe(400);
    expect([await hash.set("m7", "second"), await hash.set("new", "text")]).toEqual([false, true]);
    texts.set("m7", "second").set("new", "text");
    expect(await hash.remove(["m1", "m2", "none"])).toBe(2);
    texts.delete("m1");
    texts.delete("m2");
    expect([await hash.get("m7"), await hash.get("m1"), await hash.size()]).toEqual([
      "second",
      undefined,
      399,
    ]);
    expect(new Map(Object.entries((await hash.read())!))).toEqual(texts);
    expect((await hash.fields()).sort()).toEqual([...texts.keys()].sort());
    const scores = new Map(names(0, 400).map((name, i) => [name, i % 50]));
    expect(await sorted.addAll(scores)).toBe(400);
    expect(await sorted.increment("m3", 100)).toBe(103);
    expect(await sorted.increment("other", -1)).toBe(-1);
    scores.set("m3", 103).set("other", -1);
    const ranked = [...scores].sort(([a, x], [b, y]) => x - y || byBytes(a, b));
    expect(await sorted.range()).toEqual(ranked);
    expect(await sorted.between(10, 11)).toEqual(ranked.filter(([, x]) => x === 10 || x === 11));
    expect([await sorted.rank("m3"), await sorted.score("m3"), await sorted.size()]).toEqual([
      400, 103, 401,
    ]);
  });

  test("a list is a queue at both ends", async (store) => {
    const list = appOn(store).take("list");
    const model: string[] = [];
    for (let i = 0; i < 20; i++) {
      const [back, front] = [names(i * 30, i * 30 + 23), names(-i * 30, -i * 30 + 17)];
      model.push(...back);
      expect(await list.push(back)).toBe(model.length);
      model.unshift(...front);
      expect(await list.unshift(front)).toBe(model.length);
      expect(await list.pop()).toBe(model.pop());
      expect(await list.shift()).toBe(model.shift());
    }
    expect(await list.read()).toEqual(model);
    for (const [start, end] of [[0], [-5], [60, 70], [100, 400], [700, 900], [5, 5], [-80, -1]])
      expect(await list.range(start, end)).toEqual(model.slice(start, end));
    await list.trim(10, -10);
    expect(await list.read()).toEqual(model.slice(10, -10));
    await list.trim(0, 3);
    expect(await list.read()).toEqual(model.slice(10, 13));
  });

  test("a bitset has parts of its own for numbers far apart", async (store) => {
    const bits = appOn(store).take("small");
    await bits.write(0, 5);
    await bits.write(20_000, -3);
    expect(await bits.increment(9000, 2)).toBe(2);
    expect(await Promise.all([0, 1, 9000, 20_000, 90_000].map(bits.read))).toEqual([
      5, 0, 2, -3, 0,
    ]);
    expect([await bits.sum(0, 9000), await bits.sum(1, 9001), await bits.sum(0, 99_999)]).toEqual([
      5, 2, 4,
    ]);
    await bits.erase();
    expect([await bits.read(0), await bits.exists()]).toEqual([undefined, false]);
  });

  test("parts follow the deadline of their collection", async (store) => {
    const app = appOn(store);
    const set = app.take("set");
    await set.add(names(0, 300), { expires: "1h" });
    expect(await set.touch("2h")).toBe(true);
    expect(await set.touch("3d")).toBe(true);
    expect(await set.touch(null)).toBe(true);
    await set.add("late", { expires: "1h" });
    expect([await set.size(), await set.has("late"), await set.has("m299")]).toEqual([
      301,
      true,
      true,
    ]);
    expect(await set.touch(0)).toBe(true);
    expect([await set.exists(), await set.has("m1")]).toEqual([false, false]);
  });

  test("leaves nothing behind, and lists no parts", async (store) => {
    const app = appOn(store);
    const set = app.take("set");
    await set.write(names(0, 300));
    expect(await app.keys()).toEqual(["set"]);
    await set.write(names(0, 10));
    await set.write(names(0, 500));
    await set.remove(names(0, 499));
    await set.erase();
    await app.take("list").write(names(0, 500));
    await app.take("list").erase();
    await app.take("wide").write(1000, 1n);
    await app.take("wide").erase();
    expect([await app.keys(), await store.keys()]).toEqual([[], []]);
  });

  test("two writers lose nothing", async (store) => {
    const sets = [store, store].map((each) =>
      StaticStore("app", { set: "set" }, { store: each }).take("set"),
    );
    await sets[0]!.add(names(0, 120));
    await Promise.all(
      sets.flatMap((set, i) => names(i * 100 + 200, i * 100 + 260).map((each) => set.add(each))),
    );
    expect(await sets[0]!.size()).toBe(240);
    expect((await sets[1]!.read())!.size).toBe(240);
  });
}
