import { describe, expect, it, vi } from "vitest";
import type { ReactiveSubject } from "../reactive-suite.ts";

/** remove(), at every moment. */
export function removing({ program, rows, fill }: ReactiveSubject): void {
  describe("remove()", () => {
    it("is said at once, done later, and ends the state however often it is used", async () => {
      const kv = (await program())("notes", { delay: "1d" });
      const state = kv("a", { n: 1 });
      kv("a", { n: 1 });
      await kv.ready();
      const heard = vi.fn();
      kv.subscribe(state, heard);
      kv.remove("a");
      kv.remove("never there");
      expect(state).toEqual({ data: { n: 1 }, status: "removed" });
      await new Promise((resolve) => setTimeout(resolve));
      expect(state.data).toEqual({ n: 1 });
      await kv.ready();
      expect(state).toEqual({ data: undefined, status: "removed" });
      expect(heard.mock.calls.length).toBeGreaterThan(0);
      expect(kv.snapshot(state)).toEqual({ data: undefined, status: "removed" });
      expect(await rows("notes")).toEqual(new Map());
      const next = kv("a", { n: 2 });
      expect(next).toMatchObject({ data: { n: 2 }, status: "ready" });
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map([["a", { n: 2 }]]));
    });

    it("deletes falsy values, with and without a state", async () => {
      const values = { zero: 0, empty: "", no: false, nothing: null };
      await fill("notes", values);
      const kv = (await program())("notes");
      await kv.ready();
      kv("zero", 1);
      for (const key of Object.keys(values)) kv.remove(key);
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map());
    });

    it("is not undone by a change that waits, nor by one of the state that goes", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { n: 1 });
      await kv.ready();
      state.data.n = 2;
      kv.remove("a");
      state.data.n = 3;
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map());
      // Once more, while the write is under way.
      const again = kv("a", { n: 1 });
      await kv.ready();
      again.data.n = 2;
      const flushed = kv.flush();
      kv.remove("a");
      await flushed;
      await kv.ready();
      expect(await rows("notes")).toEqual(new Map());
    });

    it("works before the store is open", async () => {
      await fill("notes", { stored: 1, other: 2 });
      const kv = (await program())("notes");
      const states = [kv("stored", 0), kv("fresh", 0)];
      states[1]!.data = 5;
      kv.remove("stored");
      kv.remove("fresh");
      expect(states.map(({ status }) => status)).toEqual(["removed", "removed"]);
      await kv.ready();
      expect(states.map(({ data, status }) => [data, status])).toEqual([
        [undefined, "removed"],
        [undefined, "removed"],
      ]);
      expect(await rows("notes")).toEqual(new Map([["other", 2]]));
    });

    it("is followed by a state that is made meanwhile", async () => {
      const kv = (await program())("notes");
      const old = kv("a", { n: 1 });
      await kv.ready();
      kv.remove("a");
      const next = kv("a", { n: 2 });
      expect(next).not.toBe(old);
      expect(next).toMatchObject({ data: { n: 2 }, status: "ready" });
      next.data.n = 3;
      await kv.ready();
      expect([old.status, next.status, next.data]).toEqual(["removed", "ready", { n: 3 }]);
      expect(await rows("notes")).toEqual(new Map([["a", { n: 3 }]]));
      // And while the delete is under way.
      kv.remove("a");
      const flushed = kv.flush();
      const last = kv("a", { n: 4 });
      await flushed;
      await kv.ready();
      expect(last).toEqual({ data: { n: 4 }, status: "ready" });
      expect(await rows("notes")).toEqual(new Map([["a", { n: 4 }]]));
    });
  });
}
