import { describe, expect, it } from "vitest";
import type { KVEvent, Storable } from "../../../src/reactive/index.ts";
import type { ReactiveSubject } from "../reactive-suite.ts";

const refused = (() => {}) as unknown as Storable;

/** store(): the rows under the states. */
export function lower({ program, rows, fill }: ReactiveSubject): void {
  describe("store()", () => {
    it("answers at once with loaded values, and reports events in order", async () => {
      await fill("notes", { a: { n: 1 }, zero: 0 });
      const kv = (await program())("notes");
      const store = kv.store();
      expect(kv.store()).toBe(store);
      const events: KVEvent[] = [];
      const stop = store.subscribe((event) => events.push(event));
      expect(["idle", "init"]).toContain(store.status);
      expect(await store.promise()).toEqual({ type: "open" });
      expect([store.status, store.error, store.busy]).toEqual(["open", undefined, false]);
      expect([store.get("a"), store.get("zero"), store.get("b")]).toEqual([{ n: 1 }, 0, undefined]);
      const value = { list: [1] };
      const setting = store.set("b", value);
      value.list.push(2);
      expect(store.busy).toBe(true);
      expect(store.get("b")).toEqual({ list: [1] });
      expect((await rows("notes")).has("b")).toBe(false);
      await store.completed();
      await Promise.all([setting.promise(), setting.promise()]);
      expect(store.busy).toBe(false);
      await Promise.all([store.delete("a").promise(), store.completed()]);
      expect(store.get("a")).toBe(undefined);
      expect(events).toEqual([
        { type: "open" },
        { type: "set", key: "b", value: { list: [1] } },
        { type: "delete", key: "a" },
      ]);
      stop();
      await Promise.all([store.set("c", 1).promise(), store.completed()]);
      expect(events.length).toBe(3);
      expect(await rows("notes")).toEqual(
        new Map<string, unknown>([
          ["zero", 0],
          ["b", { list: [1] }],
          ["c", 1],
        ]),
      );
    });

    it("reaches the states", async () => {
      const kv = (await program())("notes");
      const state = kv("a", { n: 1 });
      await kv.ready();
      const own = { n: 2 };
      kv.store().set("a", own);
      expect(state.data).toEqual({ n: 2 });
      state.data.n = 3;
      expect(own.n).toBe(2);
      expect(kv.store().get("a")).toEqual({ n: 3 });
      await kv.ready();
      expect((await rows("notes")).get("a")).toEqual({ n: 3 });
      kv.store().delete("a");
      expect(state.status).toBe("removed");
      await kv.ready();
      expect(state.data).toBe(undefined);
      expect(await rows("notes")).toEqual(new Map());
    });

    it("keeps values that are set before it is open", async () => {
      await fill("notes", { a: "stored", b: "stored" });
      const kv = (await program())("notes");
      const store = kv.store();
      const state = kv("a", "init");
      const [setting, deleting] = [store.set("a", "set"), store.delete("b")];
      expect([state.data, store.get("a")]).toEqual(["set", "set"]);
      await Promise.all([kv.ready(), setting.promise(), deleting.promise()]);
      expect(state).toEqual({ data: "set", status: "ready" });
      expect(await rows("notes")).toEqual(new Map([["a", "set"]]));
    });

    it("reports a refused change, also later, and goes back to falsy values", async () => {
      const kv = (await program())("notes");
      const store = kv.store();
      for (const [key, value] of [
        ["zero", 0],
        ["no", false],
      ] as const)
        store.set(key, value);
      await store.completed();
      const operations = [
        store.set("zero", refused),
        store.set("no", refused),
        store.set("fresh", refused),
      ];
      await expect(store.completed()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      await new Promise((resolve) => setTimeout(resolve));
      for (const operation of operations.slice(0, 2)) {
        await expect(operation.promise()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
        await expect(operation.promise()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      }
      expect([store.get("zero"), store.get("no"), store.get("fresh")]).toEqual([
        0,
        false,
        undefined,
      ]);
      expect(await rows("notes")).toEqual(
        new Map<string, unknown>([
          ["zero", 0],
          ["no", false],
        ]),
      );
    });

    it("keeps a later write when an older one fails", async () => {
      const kv = (await program())("notes");
      const store = kv.store();
      store.set("k", "a");
      await store.completed();
      const older = store.set("k", refused);
      const flushed = kv.flush();
      const newer = store.set("k", "c");
      await expect(older.promise()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(store.get("k")).toBe("c");
      await flushed;
      await kv.ready();
      await newer.promise();
      expect(store.get("k")).toBe("c");
      expect(await rows("notes")).toEqual(new Map([["k", "c"]]));
    });

    it("shows a later write when an older one is stored", async () => {
      const kv = (await program())("notes");
      const store = kv.store();
      await store.completed();
      const older = store.set("k", "a");
      void kv.flush();
      const newer = store.set("k", "b");
      await older.promise();
      expect(store.get("k")).toBe("b");
      await Promise.all([newer.promise(), kv.flush()]);
      expect(await rows("notes")).toEqual(new Map([["k", "b"]]));
    });

    it("is completed when all has ended, also when some was refused", async () => {
      const kv = (await program())("notes");
      const store = kv.store();
      await store.completed();
      const ended: string[] = [];
      const hear =
        (name: string): (() => void) =>
        () =>
          void ended.push(name);
      store.set("a", refused).promise().catch(hear("a"));
      void kv.flush();
      store.set("b", refused).promise().catch(hear("b"));
      store.set("c", 1).promise().then(hear("c"), hear("c"));
      await expect(store.completed()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(ended.sort()).toEqual(["a", "b", "c"]);
      expect(store.busy).toBe(false);
      expect(await rows("notes")).toEqual(new Map([["c", 1]]));
    });

    it("closes once, whatever has its name by then", async () => {
      const create = await program();
      const first = create("notes");
      const told: string[] = [];
      first.store().subscribe(({ type }) => told.push(type));
      await first.ready();
      await Promise.all([first.store().close(), first.store().close()]);
      const second = create("notes");
      await first.store().close();
      expect([told, create("notes") === second, second === first]).toEqual([
        ["open", "closed"],
        true,
        false,
      ]);
    });

    it("settles calls that come while it closes", async () => {
      const kv = (await program())("notes");
      const store = kv.store();
      await store.completed();
      const closing = store.close();
      const late = store.completed().then(() => store.set("a", 1));
      await closing;
      await expect((await late).promise()).rejects.toMatchObject({ code: "KV_CLOSED" });
      expect(await rows("notes")).toEqual(new Map());
    });

    it("writes pending changes when it is closed, and refuses later ones", async () => {
      const kv = (await program())("notes");
      const state = kv("a", 1);
      await kv.ready();
      state.data = 2;
      const store = kv.store();
      await Promise.all([store.close(), store.close()]);
      expect(store.status).toBe("closed");
      expect(await rows("notes")).toEqual(new Map([["a", 2]]));
      await expect(store.set("a", 3).promise()).rejects.toMatchObject({ code: "KV_CLOSED" });
      await expect(kv.ready()).rejects.toMatchObject({ code: "KV_CLOSED" });
      expect(await store.promise()).toEqual({ type: "closed" });
      state.data = 4;
      await kv.flush();
      expect(state).toMatchObject({ status: "error", error: { code: "KV_CLOSED" } });
      expect(kv("b", 1)).toMatchObject({ data: 1, status: "error", error: { code: "KV_CLOSED" } });
      expect(await rows("notes")).toEqual(new Map([["a", 2]]));
    });
  });
}
