import { expect } from "vitest";
import { z } from "zod";
import { DynamicStore, StaticStore } from "../../../src/schema/index.ts";
import type { Case } from "../schema-suite.ts";
import { type App, appOn, appsOn, CHANGES, fieldOf, KINDS, SAMPLES, valueOf } from "./app.ts";

const NAMES = [
  "a",
  "a:b",
  "a%3Ab",
  "%",
  ":",
  "a\\:b",
  "a b",
  "__proto__",
  "then",
  "../x",
  "*",
  "[x]",
  "🎉",
  "A",
  "\u0000",
  "apps",
];

/** How stores lie in each other, and when fields expire. */
export function trees(test: Case): void {
  test("tells similar keys apart, and lists each child once", async (store) => {
    const outer = DynamicStore("o", DynamicStore("m", DynamicStore("i", "set")), { store });
    for (const a of NAMES)
      for (const b of ["b", "a:b", ":%:", "%"])
        await outer.take(a).take(b).take("x").add(`${a} ${b}`);
    for (const a of NAMES) {
      for (const b of ["b", "a:b", ":%:", "%"])
        expect([...(await outer.take(a).take(b).take("x").read())!]).toEqual([`${a} ${b}`]);
      expect((await outer.take(a).keys()).sort()).toEqual(["%", ":%:", "a:b", "b"]);
    }
    expect((await outer.keys()).sort()).toEqual([...NAMES].sort());
    await outer.take("a").take("b").erase();
    await outer.take("a:b").erase();
    expect((await outer.take("a").keys()).sort()).toEqual(["%", ":%:", "a:b"]);
    expect((await outer.keys()).sort()).toEqual(NAMES.filter((name) => name !== "a:b").sort());
    for (const wrong of ["", "\ud800", 5, null, undefined])
      expect(() => outer.take(wrong as string), String(wrong)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_KEY" }),
      );
    await expect(
      outer
        .take("x".repeat(3000))
        .take("y".repeat(3000))
        .take("z")
        .add("w")
        .then(
          () => "kept",
          (error) => error.code,
        ),
    ).resolves.toMatch(/^(kept|KV_TOO_LARGE)$/);
  });

  test("keeps a value of its own beside its keys", async (store) => {
    const tree = StaticStore(
      "root",
      { notes: DynamicStore("notes", z.array(z.string())), other: "string" },
      { store },
    );
    const notes = tree.take("notes");
    expect([await notes.read(), await notes.exists(), await tree.keys()]).toEqual([
      undefined,
      false,
      [],
    ]);
    await notes.write(["own"]);
    expect([
      await notes.keys(),
      await notes.entries(),
      await notes.exists(),
      await tree.keys(),
    ]).toEqual([[], [], true, ["notes"]]);
    await notes.take("child").write(["child"]);
    expect([
      await notes.read(),
      await notes.keys(),
      await notes.entries(),
      await tree.keys(),
    ]).toEqual([["own"], ["child"], [["child", ["child"]]], ["notes"]]);
    expect(await notes.update((all) => [...all, "more"])).toEqual(["own", "more"]);
    await notes.erase();
    expect([await notes.read(), await notes.keys(), await tree.exists()]).toEqual([
      undefined,
      [],
      false,
    ]);
  });

  test("erases its own alone", async (store) => {
    const [app, apps] = [appOn(store), appsOn(store)];
    const beside = [
      DynamicStore("app2", "set", { store }),
      DynamicStore("ap", "number", { store }),
    ] as const;
    await Promise.all(
      KINDS.flatMap((kind) => [
        SAMPLES[kind](app),
        SAMPLES[kind](apps.take("a")),
        SAMPLES[kind](apps.take("b")),
      ]),
    );
    await beside[0].take("x").add("y");
    await beside[1].take("p").write(5);
    for (const key of ["app", "app:", "ap"]) await store.set(key, "plain");
    await app.erase();
    await apps.take("a").erase();
    expect([await app.exists(), await app.entries(), await apps.keys()]).toEqual([
      false,
      [],
      ["b"],
    ]);
    for (const kind of KINDS) expect(await fieldOf(apps.take("b"), kind).exists(), kind).toBe(true);
    expect([
      await beside[0].take("x").has("y"),
      await beside[1].take("p").read(),
      await store.getMany(["app", "app:", "ap"]),
    ]).toEqual([true, 5, ["plain", "plain", "plain"]]);
  });

  test("ends every kind at its deadline, which stays when it is changed", async (store) => {
    const [ending, staying, moved] = ["ending", "staying", "moved"].map((name) =>
      appsOn(store).take(name),
    ) as [App, App, App];
    let at: number;
    let defaulted: App;
    // Again with more time, where a slow machine needs longer than that: what has expired in the
    // middle begins anew.
    for (let lead = 500; ; lead *= 3) {
      at = Date.now() + lead;
      const expires = new Date(at);
      const inTime = (defaulted = appsOn(store.expires(`${lead}ms`)).take("defaulted"));
      await Promise.all(
        KINDS.map(async (kind) => {
          await Promise.all([
            SAMPLES[kind](ending, { expires }),
            SAMPLES[kind](staying, { expires }),
            SAMPLES[kind](moved),
            SAMPLES[kind](inTime),
          ]);
          await Promise.all([
            CHANGES[kind](ending),
            CHANGES[kind](staying, { expires: null }),
            fieldOf(moved, kind).touch(expires),
            CHANGES[kind](inTime),
          ]);
          await Promise.all([SAMPLES[kind](ending), fieldOf(inTime, kind).touch(null)]);
        }),
      );
      if (Date.now() < at) break;
      await appsOn(store).erase();
    }
    const there = await Promise.all(KINDS.map((kind) => fieldOf(ending, kind).exists()));
    if (Date.now() < at) expect(there).toEqual(KINDS.map(() => true));
    await expect.poll(() => Date.now(), { interval: 5 }).toBeGreaterThanOrEqual(at);
    // A server has a clock of its own.
    await expect
      .poll(async () => (await Promise.all([ending, moved].map((app) => app.keys()))).flat(), {
        interval: 20,
      })
      .toEqual([]);
    expect([
      await ending.exists(),
      (await staying.keys()).length,
      (await defaulted.keys()).length,
    ]).toEqual([false, KINDS.length, KINDS.length]);
    for (const kind of KINDS)
      expect(
        [
          await fieldOf(ending, kind).exists(),
          await valueOf(ending, kind),
          await fieldOf(moved, kind).touch("1h"),
        ],
        kind,
      ).toEqual([false, undefined, false]);
    // What has expired begins anew, and what is written as expired is gone.
    expect([
      await ending.take("number").increment(),
      await ending.take("set").add("new"),
      await ending.take("list").push("new"),
    ]).toEqual([1, 1, 1]);
    await Promise.all(KINDS.map((kind) => CHANGES[kind](staying, { expires: new Date(0) })));
    expect(await staying.keys()).toEqual([]);
    // The answer is that of the change.
    const gone = { expires: 0 };
    const answers = [
      staying.take("list").push(["a", "b"], gone),
      staying.take("number").increment(5, gone),
      staying.take("small").increment(0, 5, gone),
      staying.take("wide").increment(0, -5n, gone),
      staying.take("sorted").increment("a", 5, gone),
      staying.take("set").add("a", gone),
      staying.take("hash").set("a", "b", gone),
    ];
    expect([
      await Promise.all(answers),
      await staying.take("list").unshift("a", gone),
      await staying.keys(),
    ]).toEqual([[2, 5, 5, -5n, 5, 1, true], 1, []]);
    await staying.take("list").write(["a", "b", "c"]);
    expect([await staying.take("list").pop(gone), await staying.keys()]).toEqual(["c", []]);
    // What changes nothing moves the deadline none the less.
    const [list, set, hash, sorted] = [
      staying.take("list"),
      staying.take("set"),
      staying.take("hash"),
      staying.take("sorted"),
    ];
    for (const changes of [
      () => [
        list.push([], gone),
        set.add([], gone),
        hash.setAll({}, gone),
        sorted.addAll({}, gone),
      ],
      () => [
        list.trim(0, 9, gone),
        set.remove("x", gone),
        hash.remove("x", gone),
        sorted.remove([], gone),
      ],
    ]) {
      await Promise.all(
        (["list", "set", "hash", "sorted"] as const).map((kind) => SAMPLES[kind](staying)),
      );
      await Promise.all<unknown>(changes());
      expect(await staying.keys()).toEqual([]);
    }
  });
}
