import { effect, effectScope } from "@vue/reactivity";
import { describe, expect, it, vi } from "vitest";
import type { ReactiveSubject } from "../reactive-suite.ts";
import { eventually } from "../../support/eventually.ts";

/** Subscriptions, snapshots, and what happens elsewhere. */
export function watching({ program, rows }: ReactiveSubject): void {
  describe("subscribe() and snapshot()", () => {
    it("tell once for many changes, or of each at once", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { n: 0, list: [] as number[] });
      await kv.ready();
      const [late, sync] = [vi.fn(), vi.fn(() => kv.snapshot(state).data)];
      const stop = [kv.subscribe(state, late), kv.subscribe(state, sync, { sync: true })];
      state.data.n++;
      expect(sync).toHaveLastReturnedWith({ n: 1, list: [] });
      state.data.list.push(1);
      expect(sync).toHaveLastReturnedWith({ n: 1, list: [1] });
      expect(late).not.toHaveBeenCalled();
      await Promise.resolve();
      expect(late).toHaveBeenCalledTimes(1);
      for (const end of stop) end();
      const calls = sync.mock.calls.length;
      state.data.n++;
      await Promise.resolve();
      expect([late.mock.calls.length, sync.mock.calls.length]).toEqual([1, calls]);
    });

    it("find the changes of others, however late a beginning is written", async () => {
      const [a, b] = [(await program())("notes"), (await program())("notes")];
      await Promise.all([a.ready(), b.ready()]);
      const late = b("k", { n: 0 });
      const state = a("k", { n: 0 });
      state.data.n = 5;
      await a.ready();
      await b.ready();
      expect([late, [...(await rows("notes"))]]).toEqual([
        { data: { n: 5 }, status: "ready" },
        [["k", { n: 5 }]],
      ]);
      // A change of one's own is no beginning any more.
      a.store().set("m", 1);
      await a.ready();
      const own = b("m", 2);
      own.data = 3;
      await b.ready();
      expect((await rows("notes")).get("m")).toBe(3);
      b.remove("m");
      // What was removed from here is not found again.
      b.remove("k");
      b("k", { n: 1 });
      await b.ready();
      expect([...(await rows("notes"))]).toEqual([["k", { n: 1 }]]);
    });

    it("share unchanged members", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { left: { x: [1] }, right: { y: new Map([["k", { n: 1 }]]) } });
      await kv.ready();
      const before = kv.snapshot(state);
      expect(kv.snapshot(state)).toBe(before);
      state.data.left.x.push(2);
      const after = kv.snapshot(state);
      expect(after).not.toBe(before);
      expect(kv.snapshot(state)).toBe(after);
      expect(after.data.right).toBe(before.data.right);
      expect(before.data.left.x).toEqual([1]);
      expect(after.data).toEqual({ left: { x: [1, 2] }, right: { y: new Map([["k", { n: 1 }]]) } });
      // Nothing of a snapshot is a proxy, or part of the state.
      state.data.right.y.get("k")!.n = 2;
      expect(after.data.right.y.get("k")).toEqual({ n: 1 });
      expect(structuredClone(kv.snapshot(state).data)).toEqual(kv.snapshot(state).data);
      await kv.ready();
      expect(kv.snapshot(state).data).toEqual(state.data);
    });

    it("are told of changes of the status", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 1);
      const seen: string[] = [];
      kv.subscribe(state, () => seen.push(kv.snapshot(state).status), { sync: true });
      await kv.ready();
      kv.remove("a");
      expect(seen).toEqual(["ready", "removed"]);
    });

    it("do not call who subscribes meanwhile, or has gone", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 0);
      await kv.ready();
      for (const sync of [true, false]) {
        let calls = 0;
        let stop: () => void;
        const again = (): void => {
          stop();
          last();
          if (++calls < 100) stop = kv.subscribe(state, again, { sync });
        };
        stop = kv.subscribe(state, again, { sync });
        const gone = vi.fn();
        const last = kv.subscribe(state, gone, { sync });
        state.data++;
        await Promise.resolve();
        expect([calls, gone.mock.calls.length]).toEqual([1, 0]);
        stop();
      }
      let events = 0;
      let end: () => void;
      const listen = (): void => {
        end();
        if (++events < 100) end = kv.store().subscribe(listen);
      };
      end = kv.store().subscribe(listen);
      await kv.ready();
      expect(events).toBe(1);
    });

    it("keep the changes of a watcher to the value of another process", async () => {
      const [a, b] = [(await program())("notes"), (await program())("notes")];
      const state = a("a", { n: 0, double: 0 });
      await a.ready();
      const scope = effectScope();
      const other = b("a", { n: 0, double: 0 });
      scope.run(() => effect(() => void (other.data.double = other.data.n * 2)));
      await b.ready();
      state.data.n = 4;
      await a.ready();
      await eventually(() => other.data).toEqual({ n: 4, double: 8 });
      await b.ready();
      expect([...(await rows("notes"))]).toEqual([["a", { n: 4, double: 8 }]]);
      scope.stop();
    });

    it("end with the last leave()", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 0);
      await kv.ready();
      const heard = vi.fn();
      kv.subscribe(state, heard, { sync: true });
      kv.leave(state);
      state.data = 1;
      await kv.ready();
      expect(heard).not.toHaveBeenCalled();
      expect([...(await rows("notes"))]).toEqual([["a", 0]]);
    });

    it("survive one that throws", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 1);
      await kv.ready();
      const thrown: unknown[] = [];
      const hear = (error: unknown): void => void thrown.push(error);
      process.prependOnceListener("uncaughtException", hear);
      const listeners = process
        .listeners("uncaughtException")
        .filter((listener) => listener !== hear);
      for (const listener of listeners) process.off("uncaughtException", listener);
      const heard = vi.fn();
      kv.subscribe(state, () => {
        throw new Error("mine");
      });
      kv.subscribe(state, heard);
      state.data = 2;
      await kv.ready();
      await eventually(() => thrown).toMatchObject([{ message: "mine" }]);
      for (const listener of listeners) process.on("uncaughtException", listener);
      expect(heard).toHaveBeenCalledTimes(1);
      expect(await rows("notes")).toEqual(new Map([["a", 2]]));
    });

    it("refuse invalid states", async () => {
      const kv = (await program())("notes");
      expect(() => kv.subscribe({ data: 1, status: "ready" }, () => {})).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
      expect(() => kv.snapshot({ data: 1, status: "ready" })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
    });

    it("work beside effects of Vue, whose end does not end a state", async () => {
      const kv = (await program())("notes");
      const scope = effectScope();
      const seen: unknown[] = [];
      const state = scope.run(() => {
        const state = kv("a", { list: [1] });
        effect(() => seen.push([...state.data.list, state.status]));
        return state;
      })!;
      await kv.ready();
      state.data.list.push(2);
      await kv.ready();
      scope.stop();
      state.data.list.push(3);
      await kv.ready();
      expect(seen).toEqual([
        [1, "init"],
        [1, "ready"],
        [1, 2, "ready"],
      ]);
      expect((await rows("notes")).get("a")).toEqual({ list: [1, 2, 3] });
    });

    it("work with values that go round in circles", async () => {
      const kv = (await program())("notes");
      const value: { n: number; self?: unknown } = { n: 1 };
      value.self = value;
      const state = kv("a", value);
      const heard = vi.fn();
      kv.subscribe(state, heard, { sync: true });
      (state.data.self as typeof value).n = 2;
      expect(heard).toHaveBeenCalledTimes(1);
      const { data } = kv.snapshot(state);
      expect([data.n, data.self === data]).toEqual([2, true]);
      await kv.ready();
      const stored = (await rows("notes")).get("a") as typeof value;
      expect([stored.n, stored.self === stored]).toEqual([2, true]);
    });
  });

  describe("two programs", () => {
    it("see each other's changes, and do not echo them", async () => {
      const [a, b] = [(await program())("notes"), (await program())("notes")];
      const [here, there] = [
        a("k", { n: 0, map: new Map([["x", 1]]) }),
        b("k", { n: 0, map: new Map([["x", 1]]) }),
      ];
      await a.ready();
      await b.ready();
      const heard = vi.fn();
      b.subscribe(there, heard);
      here.data.map.set("y", 2);
      await a.ready();
      await eventually(() => there.data.map.get("y")).toBe(2);
      expect(heard).toHaveBeenCalled();
      expect(b.store().busy).toBe(false);
      there.data.n = 5;
      await b.ready();
      await eventually(() => here.data.n).toBe(5);
      expect(here).toEqual({
        data: {
          n: 5,
          map: new Map([
            ["x", 1],
            ["y", 2],
          ]),
        },
        status: "ready",
      });
      expect(await rows("notes")).toEqual(new Map([["k", here.data]]));
    });

    it("can go back to the change of the other process", async () => {
      const [a, b] = [(await program())("notes"), (await program())("notes")];
      const [here, there] = [a("k", 1), b("k", 1)];
      await a.ready();
      await b.ready();
      there.data = 2;
      await b.ready();
      await eventually(() => here.data).toBe(2);
      here.data = 1;
      await a.ready();
      expect(await rows("notes")).toEqual(new Map([["k", 1]]));
    });

    it("lose nothing of different keys, and end with the same of one key", async () => {
      const [a, b] = [
        (await program())("notes", { delay: "1ms" }),
        (await program())("notes", { delay: "1ms" }),
      ];
      const make = (kv: typeof a): { data: string }[] =>
        ["own a", "own b", "shared"].map((key) => kv(key, ""));
      const [[aOwn, bOwn, shared], theirs] = [make(a), make(b)] as [
        { data: string }[],
        { data: string }[],
      ];
      await a.ready();
      await b.ready();
      for (let i = 0; i < 30; i++) {
        aOwn!.data += "a";
        theirs[1]!.data += "b";
        shared!.data = `a${i}`;
        theirs[2]!.data = `b${i}`;
        await new Promise((resolve) => setTimeout(resolve, i % 4));
      }
      await a.ready();
      await b.ready();
      const stored = async (): Promise<unknown[]> => {
        const found = await rows("notes");
        return ["own a", "own b", "shared"].map((key) => found.get(key));
      };
      await eventually(async () => [
        [aOwn, bOwn, shared].map((state) => state!.data),
        theirs.map(({ data }) => data),
      ]).toEqual([await stored(), await stored()]);
      expect(await stored()).toEqual([
        "a".repeat(30),
        "b".repeat(30),
        expect.stringMatching(/^[ab]29$/),
      ]);
    });

    it("remove for each other", async () => {
      const [a, b] = [(await program())("notes"), (await program())("notes")];
      const [here, there] = [a("k", 1), b("k", 1)];
      await a.ready();
      await b.ready();
      a.remove("k");
      await a.ready();
      await eventually(() => there.status).toBe("removed");
      expect([here.data, there.data]).toEqual([undefined, undefined]);
      const next = b("k", 2);
      expect(next).toMatchObject({ data: 2, status: "ready" });
      await b.ready();
      expect(await rows("notes")).toEqual(new Map([["k", 2]]));
    });

    it("go back to the stored value of the other process", async () => {
      const [a, b] = [(await program())("notes", { delay: "1d" }), (await program())("notes")];
      const [here, there] = [a<unknown & object>("k", { n: 1 }), b("k", { n: 1 })];
      await a.ready();
      await b.ready();
      const events: unknown[] = [];
      here.data = { f: () => {} };
      a.store().subscribe((event) => events.push(event));
      there.data.n = 2;
      await b.ready();
      // A change from here is under way, so the news does not show; it is what a refusal goes back
      // to.
      await eventually(() => events).toMatchObject([{ type: "set", key: "k" }]);
      expect(here.data).toHaveProperty("f");
      await a.flush();
      expect(here).toMatchObject({ data: { n: 2 }, status: "error" });
      expect(await rows("notes")).toEqual(new Map([["k", { n: 2 }]]));
    });
  });
}
