import { expect } from "vitest";
import { DynamicStore } from "../../../src/schema/index.ts";
import type { Case, SchemaSubject } from "../schema-suite.ts";
import { appOn } from "./app.ts";

const TWENTY = Array.from({ length: 20 }, (_, i) => i);

/** What holds when several do something at once. */
export function together(test: Case, { another }: SchemaSubject): void {
  test("loses nothing when many change a field at once", async (store) => {
    const others = await another?.();
    const apps = [appOn(store), appOn(others ?? store)];
    const app = apps[0]!;
    await app.take("json").write({ name: "Ann" });
    await Promise.all(
      TWENTY.flatMap((i) => {
        const one = apps[i % 2]!;
        return [
          one.take("set").add([`a${i}`, `b${i}`]),
          one.take("number").increment(i),
          one.take("list").push(`${i}`),
          one.take("hash").set(`f${i}`, `${i}`),
          one.take("sorted").increment("m", i),
          one.take("small").increment(i % 3, 1),
          one.take("json").update(({ visits }) => ({ visits: visits + 1 })),
        ];
      }),
    );
    expect([
      await app.take("set").size(),
      await app.take("number").read(),
      await app.take("list").size(),
      await app.take("hash").size(),
      await app.take("sorted").score("m"),
      await app.take("small").sum(0, 9),
    ]).toEqual([40, 190, 20, 20, 190, 20]);
    expect(await app.take("json").read()).toEqual({ name: "Ann", visits: 20 });
    const popped = await Promise.all(
      TWENTY.map((i) => apps[i % 2]!.take("list")[i % 3 === 0 ? "shift" : "pop"]()),
    );
    expect([
      new Set(popped).size,
      await app.take("list").pop(),
      await app.take("list").exists(),
    ]).toEqual([20, undefined, false]);
    await others?.close();
  });

  test("never shows a set half written", async (store) => {
    const set = appOn(store).take("set");
    const versions = [0, 1].map((n) => TWENTY.map((i) => `${n} ${i}`));
    await set.write(versions[0]!);
    const writing = async (): Promise<void> => {
      for (let i = 1; i <= 20; i++) await set.write(versions[i % 2]!);
    };
    const reading = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) expect((await set.read())?.size).toBe(20);
    };
    await Promise.all([writing(), reading()]);
  });

  test("intersects sets, also of other stores", async (store) => {
    const sets = DynamicStore("s", "set", { store });
    const inMemory = DynamicStore("m", "set");
    await Promise.all([
      sets.take("a").write(["1", "2", "3"]),
      sets.take("b").write(["2", "3", "4"]),
      sets.take("c").write(["3", "5"]),
      inMemory.take("x").write(["2", "9"]),
    ]);
    const [a, b, c] = [sets.take("a"), sets.take("b"), sets.take("c")];
    expect([...(await a.intersect(b))].sort()).toEqual(["2", "3"]);
    expect([...(await a.intersect(b, c))]).toEqual(["3"]);
    expect([...(await a.intersect())].sort()).toEqual(["1", "2", "3"]);
    expect(
      [
        ...(await a.intersect(a)),
        ...(await a.intersect(sets.take("none"))),
        ...(await sets.take("none").intersect(a)),
      ].sort(),
    ).toEqual(["1", "2", "3"]);
    expect([
      ...(await a.intersect(inMemory.take("x"))),
      ...(await inMemory.take("x").intersect(a, b)),
    ]).toEqual(["2", "2"]);
  });

  test("reports the current values to a watch, and each change", async (store) => {
    const others = await another?.();
    const [here, there] = [appOn(store), appOn(others ?? store)];
    const set = here.take("set").watch({ interval: "20ms" }).getReader();
    const bits = here.take("wide").watch(1, { interval: "20ms" }).getReader();
    const json = here.take("json").watch({ interval: "20ms" }).getReader();
    expect([
      (await set.read()).value,
      (await bits.read()).value,
      (await json.read()).value,
    ]).toEqual([undefined, undefined, undefined]);
    await Promise.all([
      there.take("set").add("a"),
      there.take("wide").write(1, 5n),
      there.take("json").write({ name: "Ann" }),
    ]);
    expect([
      (await set.read()).value,
      (await bits.read()).value,
      (await json.read()).value,
    ]).toEqual([new Set(["a"]), 5n, { name: "Ann", visits: 0 }]);
    await here.take("set").erase();
    expect((await set.read()).value).toBeUndefined();
    await there.take("set").write(["x"]);
    expect((await set.read()).value).toEqual(new Set(["x"]));
    await there.take("set").touch("50ms");
    expect((await set.read()).value).toBeUndefined();
    await here.take("json").write({ name: "Bob" });
    const erasing = json.read();
    await expect(erasing).resolves.toMatchObject({ value: { name: "Bob" } });
    await here.erase();
    expect((await json.read()).value).toBeUndefined();
    await Promise.all([set.cancel(), bits.cancel(), json.cancel(), others?.close()]);
  });
}
