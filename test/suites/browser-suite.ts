import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KEYS, VALUES } from "../../src/conformance/samples.ts";
import kv, { type Client, type Store } from "../../src/index.ts";
import type { BrowserSubject } from "../support/browser-clients.ts";

/** What has to hold for every client of a browser, wherever it runs. */
export function behaves(subject: BrowserSubject): void {
  describe(subject.name, () => {
    let client: unknown;
    let store: Store;

    beforeEach(async () => {
      client = await subject.create();
      store = kv(client as Client, { timeout: "1m" });
      await store.has("x");
    });
    afterEach(async () => {
      await store.close();
      await subject.cleanup();
    });

    it("keeps every key exact", async () => {
      for (const [i, key] of KEYS.entries()) await store.set(key, i);
      for (const [i, key] of KEYS.entries()) expect([key, await store.get(key)]).toEqual([key, i]);
      expect((await store.keys()).sort()).toEqual([...KEYS].sort());
      expect(
        await kv(client as Client)
          .prefix("__pro")
          .keys(),
      ).toEqual(["to__"]);
      for (const key of KEYS) await store.del(key);
      expect(await store.keys()).toEqual([]);
    });

    it("keeps every value exact, alone and as metadata", async () => {
      for (const value of VALUES) {
        await store.set("v", value, { metadata: value });
        const { value: found, metadata } = (await store.entry("v"))!;
        expect(JSON.stringify([found, metadata])).toBe(JSON.stringify([value, value]));
        if (typeof value === "object" && !Array.isArray(value))
          expect(Object.getPrototypeOf(found)).toBe(Object.prototype);
      }
      await store.set("zero", -0);
      expect(Object.is(await store.get("zero"), 0)).toBe(true);
    });

    it("is not fooled by names of methods", async () => {
      for (const name of [
        "toString",
        "constructor",
        "__proto__",
        "getItem",
        "length",
        "hasOwnProperty",
      ]) {
        expect([name, await store.get(name), await store.has(name)]).toEqual([name, null, false]);
        await store.set(name, 1);
        expect([name, await store.get(name)]).toEqual([name, 1]);
      }
    });

    it("leaves items of others alone", async () => {
      await subject.putForeign("theirs");
      await store.set("mine", 1);
      expect(await store.keys()).toEqual(["mine"]);
      expect(await store.has("theirs")).toBe(false);
      await expect(store.get("theirs")).rejects.toMatchObject({
        code: "KV_FOREIGN",
        key: "theirs",
      });
      await expect(
        store.commit([{ key: "theirs", version: null }], [{ key: "mine", value: 2 }]),
      ).rejects.toMatchObject({ code: "KV_FOREIGN" });
      await store.prune();
      await store.clear();
      expect(await store.keys()).toEqual([]);
      expect(await subject.hasForeign("theirs")).toBe(true);
      await store.set("theirs", "now mine");
      expect(await store.get("theirs")).toBe("now mine");
      expect(await subject.hasForeign("theirs")).toBe(false);
    });

    it("names a damaged record, and gets rid of it", async () => {
      await store.setMany([
        ["good", 1],
        ["bad", { some: "text" }],
      ]);
      await subject.damage("bad");
      await expect(store.get("bad")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "bad" });
      await expect(store.entries()).rejects.toMatchObject({ code: "KV_CORRUPT", key: "bad" });
      expect((await store.keys()).sort()).toEqual(["bad", "good"]);
      await store.set("bad", 2);
      expect(await store.get("bad")).toBe(2);
      await subject.damage("bad");
      await store.del("bad");
      expect(await store.keys()).toEqual(["good"]);
      await subject.damage("good");
      await store.clear();
      expect(await store.keys()).toEqual([]);
    });

    it("deletes everything that it lists, also while it lists", async () => {
      for (let i = 0; i < 50; i++) await store.set(`k${i}`, i);
      for await (const [key] of store) {
        await store.del(key);
        await store.set(`other${key}`, 0);
      }
      const left = await store.keys();
      expect(left.filter((key) => key.startsWith("k"))).toEqual([]);
      expect(left.length).toBe(50);
    });

    it("commits all or nothing, and never between two of its own writers", async () => {
      await store.set("n", 0);
      const add = async (): Promise<void> => {
        for (;;) {
          const { value, version } = (await store.entry<number>("n"))!;
          const result = await store.commit(
            [{ key: "n", version }],
            [
              { key: "n", value: value + 1 },
              { key: "last", value },
            ],
          );
          if (result.ok) return;
          expect(result.failed).toEqual(["n"]);
        }
      };
      await Promise.all(Array.from({ length: 20 }, add));
      expect(await store.get("n")).toBe(20);
      const { version } = (await store.entry("n"))!;
      expect(
        await store.commit(
          [
            { key: "n", version },
            { key: "absent", version: null },
          ],
          [{ key: "n", value: null }],
        ),
      ).toEqual({ ok: true, version: expect.stringMatching(/^[0-9a-f]{20}$/) });
      expect(await store.has("n")).toBe(false);
    });

    it("removes expired records of its own, not merely from sight", async () => {
      const until = Date.now() + 60_000;
      await store.set("gone", 1, { expires: new Date(until) });
      await store.set("stays", 1, { expires: "1h" });
      await store.prefix("p:").set("gone", 1, { expires: new Date(until) });
      expect((await store.keys()).sort()).toEqual(["gone", "p:gone", "stays"]);
      const now = Date.now;
      try {
        Date.now = () => until;
        expect(await store.prefix("p:").prune()).toBe(1);
        expect(await store.get("gone")).toBe(null);
        Date.now = () => 0;
        // The clock set back shows what is still there.
        expect(await store.keys()).toEqual(["stays"]);
      } finally {
        Date.now = now;
      }
    });
  });
}
