import { describe, expect, it, vi } from "vitest";
import type { Storable } from "../../../src/reactive/index.ts";
import type { ReactiveSubject } from "../reactive-suite.ts";
import { eventually } from "../../support/eventually.ts";

const refused = (() => {}) as unknown as Storable;

/** What happens when a change cannot be stored. */
export function refusing({ program, rows, transactions }: ReactiveSubject): void {
  describe("a change that is refused", () => {
    it("goes back to the last stored value, at any depth, and writes nothing", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { deep: { x: 1 } as { x: unknown; y?: unknown }, list: [1] });
      await kv.ready();
      state.data.list.push(2);
      await kv.ready();
      const stored = { deep: { x: 1 }, list: [1, 2] };

      state.data.deep.x = refused;
      await expect(kv.ready()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(state).toMatchObject({
        data: stored,
        status: "error",
        error: { code: "KV_INVALID_VALUE" },
      });
      state.data.deep.y = refused;
      await kv.flush();
      expect(state.data).toEqual(stored);
      state.data = { deep: { x: "middle" }, list: [] };
      state.data = { deep: { x: refused }, list: [] };
      const count = transactions();
      await kv.flush();
      expect(state.data).toEqual(stored);
      const after = count();
      await kv.flush();
      await kv.flush();
      expect(count()).toBe(after);
      expect((await rows("notes")).get("a")).toEqual(stored);

      const heard = vi.fn();
      kv.subscribe(state, heard);
      state.data.deep.x = 3;
      expect(await kv.ready()).toBe(true);
      expect(state).toEqual({ data: { deep: { x: 3 }, list: [1, 2] }, status: "ready" });
      expect("error" in state).toBe(false);
      expect("error" in kv.snapshot(state)).toBe(false);
      expect(heard).toHaveBeenCalled();
      expect((await rows("notes")).get("a")).toEqual(state.data);
    });

    it("goes back to falsy values too", async () => {
      const kv = (await program())("notes");
      const values = { zero: 0, empty: "", no: false, nothing: null };
      for (const [key, value] of Object.entries(values)) kv.store().set(key, value);
      await kv.ready();
      const states = Object.keys(values).map((key) => kv<Storable>(key, "init"));
      for (const state of states) state.data = refused;
      await kv.flush();
      expect(states.map(({ data, status }) => [data, status])).toEqual(
        Object.values(values).map((value) => [value, "error"]),
      );
      expect(Object.keys(values).map((key) => kv.store().get(key))).toEqual(Object.values(values));
      expect(await rows("notes")).toEqual(new Map(Object.entries(values)));
    });

    it("does not revert the changes of other states", async () => {
      const kv = (await program())("notes");
      const [good, bad] = [kv("good", 1), kv<Storable>("bad", 1)];
      await kv.ready();
      good.data = 2;
      bad.data = refused;
      await expect(kv.ready()).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
        key: expect.stringContaining("bad"),
      });
      expect([good, bad]).toMatchObject([
        { data: 2, status: "ready" },
        { data: 1, status: "error" },
      ]);
      expect(await rows("notes")).toEqual(
        new Map([
          ["good", 2],
          ["bad", 1],
        ]),
      );
    });

    it("goes back to the init where nothing was ever stored", async () => {
      const kv = (await program())("notes");
      await kv.ready();
      const state = kv("a", { f: refused });
      expect(state.status).toBe("ready");
      await kv.flush();
      expect(state).toMatchObject({ data: { f: refused }, status: "error" });
      state.data = { f: 1 };
      await kv.ready();
      expect(state).toEqual({ data: { f: 1 }, status: "ready" });
    });

    it("before the store is open is refused once it is, without another call", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { f: refused });
      const other = kv("b", 1);
      await eventually(() => state.status).toBe("error");
      await eventually(() => kv.store().busy).toBe(false);
      expect(other).toEqual({ data: 1, status: "ready" });
      expect(await rows("notes")).toEqual(new Map([["b", 1]]));
    });

    it("is not tried again by itself over a later change", async () => {
      const kv = (await program())("notes");
      const [good, bad] = [kv("good", 1), kv<Storable>("bad", 1)];
      await kv.ready();
      good.data = 2;
      bad.data = refused;
      const both = kv.flush();
      good.data = 3;
      await kv.flush();
      await both;
      expect([good, bad]).toMatchObject([
        { data: 3, status: "ready" },
        { data: 1, status: "error" },
      ]);
      expect(await rows("notes")).toEqual(
        new Map([
          ["good", 3],
          ["bad", 1],
        ]),
      );
    });

    it("does not cost the change that was made while it was under way", async () => {
      const kv = (await program())("notes");
      const state = kv<{ n: Storable }>("a", { n: 0 });
      await kv.ready();
      state.data.n = refused;
      const flushed = kv.flush();
      state.data.n = 2;
      await flushed;
      await kv.ready();
      expect(state).toEqual({ data: { n: 2 }, status: "ready" });
      expect((await rows("notes")).get("a")).toEqual({ n: 2 });
    });

    it("that nests too deep is refused as any other", async () => {
      const kv = (await program())("notes");
      const state = kv<{ deep: Storable }>("a", { deep: null });
      await kv.ready();
      let deep: object = {};
      for (let i = 0; i < 20_000; i++) deep = { deep };
      state.data.deep = deep;
      await expect(kv.ready()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(state).toMatchObject({ data: { deep: null }, status: "error" });
      state.data.deep = 1;
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({ deep: 1 });
    });
  });
}
