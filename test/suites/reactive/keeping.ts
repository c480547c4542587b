import { afterEach, describe, expect, it, vi } from "vitest";
import type { ReactiveSubject } from "../reactive-suite.ts";
import { eventually } from "../../support/eventually.ts";

/** Beginning, changing, writing, coming back. */
export function keeping({ program, rows, fill, transactions }: ReactiveSubject): void {
  afterEach(() => void vi.useRealTimers());

  describe("a state", () => {
    it("is there at once, the same object for a key, and writes its initial value", async () => {
      const create = await program();
      const kv = create("notes");
      const state = kv("a", { text: "first" });
      expect(state).toMatchObject({ data: { text: "first" }, status: "init" });
      expect(kv("a", { text: "ignored" })).toBe(state);
      expect(await kv.ready()).toBe(true);
      expect(state).toEqual({ data: { text: "first" }, status: "ready" });
      expect(await rows("notes")).toEqual(new Map([["a", { text: "first" }]]));
      // Once it is open a new one is ready at once.
      expect(kv("b", 1)).toMatchObject({ data: 1, status: "ready" });
      await kv.ready();
      expect(await rows("notes")).toEqual(
        new Map<string, unknown>([
          ["a", { text: "first" }],
          ["b", 1],
        ]),
      );
    });

    it("has the stored value rather than its init", async () => {
      await fill("notes", { a: { text: "stored" } });
      const kv = (await program())("notes");
      const state = kv("a", { text: "init" });
      const heard = vi.fn();
      kv.subscribe(state, heard);
      await kv.ready();
      expect(state).toEqual({ data: { text: "stored" }, status: "ready" });
      expect(heard).toHaveBeenCalled();
      expect(kv("a", { text: "init" }).data).toEqual({ text: "stored" });
      expect(await rows("notes")).toEqual(new Map([["a", { text: "stored" }]]));
    });

    it("leaves the caller's object alone, and is left alone by it", async () => {
      const kv = (await program())("notes");
      const early = { n: 1, at: new Date(1), bytes: new Uint8Array([1]) };
      kv("early", early);
      early.n = 2;
      early.at.setTime(2);
      early.bytes[0] = 2;
      const init = { n: 1, list: [{ x: 1 }] };
      const state = kv("a", init);
      await kv.ready();
      expect((await rows("notes")).get("early")).toEqual({
        n: 1,
        at: new Date(1),
        bytes: new Uint8Array([1]),
      });
      kv.remove("early");
      state.data.n = 2;
      state.data.list[0]!.x = 2;
      expect(init).toEqual({ n: 1, list: [{ x: 1 }] });
      init.n = 3;
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map([["a", { n: 2, list: [{ x: 2 }] }]]));
      expect(kv.store().get("a")).not.toBe(init);
    });

    it("keeps falsy values, and null", async () => {
      const values = { zero: 0, empty: "", no: false, nothing: null };
      const kv = (await program())("notes");
      for (const [key, value] of Object.entries(values)) kv(key, value);
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map(Object.entries(values)));
      const again = (await program())("notes");
      const states = Object.keys(values).map((key) => again(key, "init"));
      await again.ready();
      expect(states.map(({ data }) => data)).toEqual(Object.values(values));
    });

    it("without an init is nothing until it is set", async () => {
      const kv = (await program())("notes");
      const state = kv<{ n: number }>("a");
      await kv.ready();
      expect(state).toEqual({ data: undefined, status: "ready" });
      expect(await rows("notes")).toEqual(new Map());
      state.data = { n: 1 };
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map([["a", { n: 1 }]]));
      state.data = undefined;
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map());
      expect(state.status).toBe("ready");
    });

    it("keeps Date, Map, Set and bytes", async () => {
      const value = (): object => ({
        at: new Date(5),
        map: new Map([["k", new Map([[1, { deep: true }]])]]),
        set: new Set([1, "two"]),
        bytes: new Uint8Array([1, 2, 255]),
        big: 10n,
      });
      const kv = (await program())("notes");
      const state = kv("a", value());
      expect(state.data).toEqual(value());
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual(value());
      const again = (await program())("notes");
      const loaded = again("a", {});
      await again.ready();
      expect(loaded.data).toEqual(value());
    });

    it("keeps one object one, however often it is in there", async () => {
      const kv = (await program())("notes");
      const shared = { n: 1 };
      const state = kv("a", { x: shared, list: [shared] });
      expect(state.data.x).toBe(state.data.list[0]);
      state.data.x.n = 2;
      await kv.ready();
      const stored = (await rows("notes")).get("a") as typeof state.data;
      expect([stored.x.n, stored.list[0]!.n]).toEqual([2, 2]);
    });

    it("takes keys that look like something else", async () => {
      const kv = (await program())("notes");
      const keys = ["__proto__", "../x", "%", "a:b", "😀", " ", "x".repeat(500)];
      for (const key of keys) kv(key, { key, ["__proto__"]: 1 });
      await kv.ready();
      expect([...(await rows("notes")).keys()].sort()).toEqual([...keys].sort());
      const again = (await program())("notes");
      const states = keys.map((key) => again(key, { key: "" }));
      await again.ready();
      expect(states.map(({ data }) => data.key)).toEqual(keys);
      for (const key of ["", "\ud800", 5, null])
        expect(() => kv(key as string, 1)).toThrow(
          expect.objectContaining({ code: "KV_INVALID_KEY" }),
        );
      for (const key of ["", "\ud800", 5, null])
        expect(() => kv.remove(key as string)).toThrow(
          expect.objectContaining({ code: "KV_INVALID_KEY" }),
        );
    });

    it("keeps a member that is called __proto__", async () => {
      const kv = (await program())("notes");
      const state = kv("a", JSON.parse('{"__proto__":{"x":1}}') as object);
      await kv.ready();
      expect(JSON.stringify((await rows("notes")).get("a"))).toBe('{"__proto__":{"x":1}}');
      expect(Object.getPrototypeOf(state.data)).toBe(Object.prototype);
    });
  });

  describe("a change", () => {
    const changes: {
      readonly [what: string]: readonly [change: (data: any) => void, after: unknown];
    } = {
      "of a member": [
        (data) => (data.user.name = "x"),
        {
          user: { name: "x" },
          list: [1, { n: 1 }],
          map: new Map([["k", { n: 1 }]]),
          set: new Set([1]),
        },
      ],
      "by a push, into what is in a list": [
        (data) => (data.list.push(2), (data.list[1].n = 2)),
        {
          user: { name: "ann" },
          list: [1, { n: 2 }, 2],
          map: new Map([["k", { n: 1 }]]),
          set: new Set([1]),
        },
      ],
      "by a splice": [
        (data) => data.list.splice(0, 1),
        {
          user: { name: "ann" },
          list: [{ n: 1 }],
          map: new Map([["k", { n: 1 }]]),
          set: new Set([1]),
        },
      ],
      "by a delete": [
        (data) => delete data.user.name,
        { user: {}, list: [1, { n: 1 }], map: new Map([["k", { n: 1 }]]), set: new Set([1]) },
      ],
      "in a Map": [
        (data) => data.map.set("l", 1).delete("k"),
        { user: { name: "ann" }, list: [1, { n: 1 }], map: new Map([["l", 1]]), set: new Set([1]) },
      ],
      "of what is in a Map": [
        (data) => (data.map.get("k").n = 2),
        {
          user: { name: "ann" },
          list: [1, { n: 1 }],
          map: new Map([["k", { n: 2 }]]),
          set: new Set([1]),
        },
      ],
      "in a Set": [
        (data) => data.set.add(2).delete(1),
        {
          user: { name: "ann" },
          list: [1, { n: 1 }],
          map: new Map([["k", { n: 1 }]]),
          set: new Set([2]),
        },
      ],
      "in what was added a moment ago": [
        (data) => ((data.user.more = new Map()), data.user.more.set("x", [1])),
        {
          user: { name: "ann", more: new Map([["x", [1]]]) },
          list: [1, { n: 1 }],
          map: new Map([["k", { n: 1 }]]),
          set: new Set([1]),
        },
      ],
    };
    it.each(Object.entries(changes))("%s is told and written", async (_, [change, after]) => {
      const kv = (await program())("notes");
      const state = kv("a", {
        user: { name: "ann" },
        list: [1, { n: 1 }],
        map: new Map([["k", { n: 1 }]]),
        set: new Set([1]),
      });
      await kv.ready();
      const heard = vi.fn();
      kv.subscribe(state, heard);
      change(state.data);
      await Promise.resolve();
      expect(heard).toHaveBeenCalledTimes(1);
      expect(kv.snapshot(state).data).toEqual(after);
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual(after);
      expect(state).toEqual({ data: after, status: "ready" });
    });

    it("of something that was put in later is told and written too", async () => {
      const kv = (await program())("notes");
      const state = kv("a", {} as { inner?: { list: number[] }; alias?: unknown });
      await kv.ready();
      state.data.inner = { list: [] };
      await kv.ready();
      state.data.inner.list.push(1);
      // A part of the state itself, inside of something new.
      state.data.alias = { of: state.data.inner };
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({
        inner: { list: [1] },
        alias: { of: { list: [1] } },
      });
      state.data.inner.list.push(2);
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({
        inner: { list: [1, 2] },
        alias: { of: { list: [1, 2] } },
      });
    });

    it("made before the store is open is not overwritten by the stored value", async () => {
      await fill("notes", {
        nested: { n: "stored", list: [] },
        replaced: "stored",
        untouched: "stored",
      });
      const kv = (await program())("notes");
      const nested = kv("nested", { n: "init", list: [] as number[] });
      const replaced = kv("replaced", "init");
      const untouched = kv("untouched", "init");
      const fresh = kv("fresh", "init");
      const number = kv("number", 1);
      nested.data.list.push(1);
      replaced.data = "edit";
      fresh.data = "edit";
      number.data++;
      expect([nested, replaced, fresh, number].map(({ status }) => status)).toEqual([
        "init",
        "init",
        "init",
        "init",
      ]);
      await kv.store().promise();
      expect([nested.data, replaced.data, untouched.data]).toEqual([
        { n: "init", list: [1] },
        "edit",
        "stored",
      ]);
      await kv.ready();
      const expected = new Map<string, unknown>([
        ["nested", { n: "init", list: [1] }],
        ["replaced", "edit"],
        ["untouched", "stored"],
        ["fresh", "edit"],
        ["number", 2],
      ]);
      expect(await rows("notes")).toEqual(expected);
      expect([nested, replaced, untouched, fresh, number].map(({ data }) => data)).toEqual([
        ...expected.values(),
      ]);
    });

    it("does not take what holds the state with it when it loads", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { list: [1] });
      const { list } = state.data;
      await kv.ready();
      list.push(2);
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({ list: [1, 2] });
    });

    it("waits for others: one transaction for all states, 100 ms after the first", async () => {
      const kv = (await program())("notes");
      const states = Array.from({ length: 20 }, (_, i) => kv(`k${i}`, { n: 0 }));
      await kv.ready();
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const count = transactions();
      for (let i = 0; i < 100; i++) for (const state of states) state.data.n++;
      await vi.advanceTimersByTimeAsync(60);
      for (const state of states) state.data.n++;
      await vi.advanceTimersByTimeAsync(39);
      expect(count()).toBe(0);
      expect((await rows("notes")).get("k0")).toEqual({ n: 0 });
      await vi.advanceTimersByTimeAsync(1);
      vi.useRealTimers();
      await eventually(() => kv.store().busy).toBe(false);
      expect(count()).toBe(1);
      expect([...(await rows("notes")).values()]).toEqual(states.map(() => ({ n: 101 })));
    });

    it("waits for as long as `delay` says, and not for flush()", async () => {
      const kv = (await program())("notes", { delay: 5 });
      const state = kv("a", 0);
      await kv.ready();
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      state.data = 1;
      await vi.advanceTimersByTimeAsync(4999);
      expect((await rows("notes")).get("a")).toBe(0);
      const flushed = kv.flush();
      await flushed;
      expect((await rows("notes")).get("a")).toBe(1);
      // Nothing is left for later.
      const count = transactions();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(count()).toBe(0);
    });

    it("of status or error, or back to the same, writes nothing", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 1);
      await kv.ready();
      const count = transactions();
      state.status = "error";
      state.error = new Error("mine");
      state.data = 2;
      state.data = 1;
      await kv.ready();
      expect(count()).toBe(0);
    });
  });

  describe("leave()", () => {
    it("counts, and keeps the changes", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { n: 0 });
      kv("a", { n: 0 });
      await kv.ready();
      kv.leave(state);
      expect(kv("a", { n: 0 })).toBe(state);
      kv.leave(state);
      state.data.n = 1;
      kv.leave(state);
      expect(state.data).toEqual({ n: 1 });
      const next = kv("a", { n: 0 });
      expect(next).not.toBe(state);
      expect(next.data).toEqual({ n: 1 });
      // More often than it was used, and with what is no state.
      kv.leave(state);
      kv.leave({ data: 1, status: "ready" });
      expect(kv("a", { n: 0 })).toBe(next);
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({ n: 1 });
      // What was left is not kept any more.
      state.data.n = 2;
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({ n: 1 });
    });

    it("works before the store is open", async () => {
      await fill("notes", { stored: "stored" });
      const kv = (await program())("notes");
      const edited = kv("edited", "init");
      const init = kv("init", "init");
      const stored = kv("stored", "init");
      edited.data = "edit";
      for (const state of [edited, init, stored]) kv.leave(state);
      expect(kv("edited", "init")).not.toBe(edited);
      await kv.ready();
      expect(await rows("notes")).toEqual(
        new Map([
          ["stored", "stored"],
          ["edited", "edit"],
          ["init", "init"],
        ]),
      );
      expect(kv("edited", "init").data).toBe("edit");
    });
  });

  it("peek() looks without counting", async () => {
    const kv = (await program())("notes");
    const state = kv.peek("a", 1);
    expect(kv.peek("a", 2)).toBe(state);
    expect(kv("a", 3)).toBe(state);
    kv.leave(state);
    expect(kv.peek("a", 4)).not.toBe(state);
    await kv.ready();
    expect(await rows("notes")).toEqual(new Map([["a", 1]]));
  });

  it("keeps stores apart, and gives the same function for the same name", async () => {
    const create = await program();
    const [a, b] = [create("a"), create("b")];
    expect(create("a")).toBe(a);
    expect(b).not.toBe(a);
    const [x, y] = [a("key", "in a"), b("key", "in b")];
    await Promise.all([a.ready(), b.ready()]);
    x.data = "changed";
    await a.ready();
    expect(y.data).toBe("in b");
    expect([await rows("a"), await rows("b")]).toEqual([
      new Map([["key", "changed"]]),
      new Map([["key", "in b"]]),
    ]);
    await a.store().close();
    expect(create("a")).not.toBe(a);
  });

  it("sows seeds once, into an empty store", async () => {
    const seeds = [
      ["s", "seed"],
      ["t", { n: [1] }],
    ] as never;
    const kv = (await program())("notes", { seeds });
    const state = kv("s", "init");
    const own = kv("own", "init");
    await kv.ready();
    expect(state.data).toBe("seed");
    expect(own.data).toBe("init");
    expect(await rows("notes")).toEqual(
      new Map<string, unknown>([
        ["s", "seed"],
        ["t", { n: [1] }],
        ["own", "init"],
      ]),
    );
    for (const key of ["s", "t", "own"]) kv.remove(key);
    await kv.ready();
    const again = (await program())("notes", { seeds });
    await again.ready();
    expect(await rows("notes")).toEqual(new Map());

    await fill("filled", { x: 1 });
    const filled = (await program())("filled", { seeds });
    await filled.ready();
    expect(await rows("filled")).toEqual(new Map([["x", 1]]));
  });
}
