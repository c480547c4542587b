import { describe, expect, it } from "vitest";
import type { Store } from "../../src/index.ts";
import { createSessions, type Sessions, type SessionsOptions } from "../../src/session/index.ts";

type Data = { [name: string]: unknown };

/** The statements about `anykv/session`, on one kind of client. */
export function sessionCases(name: string, open: () => Store | Promise<Store>): void {
  const make = async (inner: string, options: SessionsOptions = {}): Promise<[Sessions, Store]> => {
    const store = (await open()).prefix(inner);
    return [createSessions(store, options), store];
  };

  describe(`sessions on ${name}`, () => {
    it("are created, read, touched, listed and cleared", async () => {
      const [sessions, store] = await make("basics:");
      expect(await sessions.read("a")).toBe(null);
      expect(await sessions.create("a", { user: "ann", born: new Date(0) }, "1h")).toBe(true);
      expect(await sessions.write("b", { user: "bob" })).toBe(true);
      expect(await sessions.read("a")).toEqual({ user: "ann", born: "1970-01-01T00:00:00.000Z" });
      const before = (await store.entry("b"))!;
      expect(before.expires! - Date.now()).toBeGreaterThan(86_000_000);
      expect(await sessions.touch("b", "2d")).toBe(true);
      expect((await store.entry("b"))!.expires! - before.expires!).toBeGreaterThan(86_000_000);
      expect(await sessions.touch("absent", "2d")).toBe(false);
      expect((await sessions.all()).map(([id]) => id).sort()).toEqual(["a", "b"]);
      expect(await sessions.count()).toBe(2);
      await sessions.clear();
      expect(await sessions.all()).toEqual([]);
    });

    it("stay destroyed when they are saved late", async () => {
      const [sessions, store] = await make("destroyed:");
      await sessions.create("a", { n: 1 });
      const [late, other] = [await sessions.read<Data>("a"), await sessions.read<Data>("a")];
      await sessions.destroy("a");
      expect(await sessions.write("a", Object.assign(late!, { n: 2 }))).toBe(false);
      expect(await sessions.write("a", { n: 3 })).toBe(false);
      expect(await sessions.create("a", { n: 4 })).toBe(false);
      await sessions.touch("a", "1d");
      expect(await sessions.write("a", other!)).toBe(false);
      expect(await sessions.read("a")).toBe(null);
      expect([await sessions.all(), await sessions.count()]).toEqual([[], 0]);
      expect((await store.entry("a"))!.expires).not.toBe(null);
    });

    it("do not come back by a late save when they have ended", async () => {
      const [sessions, store] = await make("ended:");
      await sessions.create("a", { n: 1 });
      const late = await sessions.read<Data>("a");
      await store.del("a");
      expect(await sessions.write("a", late)).toBe(false);
      expect(await store.has("a")).toBe(false);
    });

    it("move to a new id with the object that was read", async () => {
      for (const method of ["create", "write"] as const) {
        const [sessions] = await make(`rotated ${method}:`);
        await sessions.create("a", { n: 1 });
        const data = (await sessions.read<Data>("a"))!;
        await sessions.destroy("a");
        expect(await sessions[method]("b", Object.assign(data, { n: 2 }))).toBe(true);
        expect(await sessions.write("b", Object.assign(data, { n: 3 }))).toBe(true);
        expect(await sessions.read("b")).toEqual({ n: 3 });
        expect(await sessions.write("a", data)).toBe(false);
      }
    });

    it("lose the older of two saves by default", async () => {
      const [sessions] = await make("last:");
      await sessions.create("a", { n: 1 });
      const [one, two] = [await sessions.read<Data>("a"), await sessions.read<Data>("a")];
      await sessions.write("a", Object.assign(one!, { one: true }));
      await sessions.write("a", Object.assign(two!, { two: true }));
      expect(await sessions.read("a")).toEqual({ n: 1, two: true });
    });

    it("merge the saves of concurrent requests", async () => {
      const [sessions] = await make("merge:", { onConflict: "merge" });
      await sessions.create("a", { n: 1, gone: true, cart: { tea: 1 } });
      const add = async (i: number): Promise<void> => {
        const data = (await sessions.read<Data>("a"))!;
        data[`key ${i}`] = i;
        (data.cart as Data)[`item ${i}`] = i;
        if (i === 5) delete data.gone;
        expect(await sessions.write("a", data)).toBe(true);
      };
      const numbers = Array.from({ length: 12 }, (_, i) => i);
      await Promise.all(numbers.map(add));
      const merged = (await sessions.read<Data>("a"))!;
      expect(merged).toEqual({
        n: 1,
        cart: { tea: 1, ...Object.fromEntries(numbers.map((i) => [`item ${i}`, i])) },
        ...Object.fromEntries(numbers.map((i) => [`key ${i}`, i])),
      });
    });

    it("merge every save of one object", async () => {
      const [sessions] = await make("again:", { onConflict: "merge" });
      await sessions.create("a", { n: 1, old: true });
      const [one, two] = [await sessions.read<Data>("a"), await sessions.read<Data>("a")];
      delete two!.old;
      await sessions.write("a", Object.assign(two!, { two: true }));
      for (const n of [2, 3]) {
        await sessions.write("a", Object.assign(one!, { n }));
        expect(await sessions.read("a")).toEqual({ n, two: true });
      }
    });

    it("save the same object twice, after a touch of another request", async () => {
      const [sessions] = await make("twice:", { onConflict: "refuse" });
      await sessions.create("a", { n: 1 });
      const data = (await sessions.read<Data>("a"))!;
      await sessions.touch("a", "2d");
      expect(await sessions.write("a", Object.assign(data, { n: 2 }))).toBe(true);
      expect(await sessions.write("a", Object.assign(data, { n: 3 }))).toBe(true);
      expect(await sessions.read("a")).toEqual({ n: 3 });
    });

    it("save one object in call order, as no conflict with itself", async () => {
      for (const onConflict of ["last", "merge", "refuse"] as const) {
        const [sessions] = await make(`order ${onConflict}:`, { onConflict });
        await sessions.create("a", { n: 0 });
        const data = (await sessions.read<Data>("a"))!;
        const saves = [1, 2, 0].map((n) => sessions.write("a", Object.assign(data, { n })));
        expect(await Promise.all(saves)).toEqual([true, true, true]);
        expect(await sessions.read("a")).toEqual({ n: 0 });
      }
    });

    it("go on with an object whose save was rejected", async () => {
      const [sessions] = await make("rejected:", { onConflict: "refuse" });
      await sessions.create("a", { n: 0 });
      const data = (await sessions.read<Data>("a"))!;
      const long = sessions.write("a", Object.assign(data, { n: 1 }), "never" as never);
      const saved = sessions.write("a", Object.assign(data, { n: 2 }));
      await expect(long).rejects.toMatchObject({ code: "KV_INVALID_EXPIRES" });
      expect([await saved, await sessions.read("a")]).toEqual([true, { n: 2 }]);
    });

    it("refuse the older of two saves", async () => {
      const [sessions] = await make("refuse:", { onConflict: "refuse" });
      await sessions.create("a", { n: 1 });
      const [one, two] = [await sessions.read<Data>("a"), await sessions.read<Data>("a")];
      await sessions.write("a", Object.assign(one!, { n: 2 }));
      await expect(sessions.write("a", Object.assign(two!, { n: 3 }))).rejects.toMatchObject({
        code: "KV_CONFLICT",
      });
      expect(await sessions.read("a")).toEqual({ n: 2 });
    });
  });
}
