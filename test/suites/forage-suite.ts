import localforage from "localforage";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { PATIENT } from "../support/patient.ts";

/** What has to hold for FORAGE with a driver, in a browser and on a polyfill. */
export function forageBehaves(driver: "INDEXEDDB" | "LOCALSTORAGE"): void {
  describe(`FORAGE on ${driver}`, () => {
    let instance: LocalForage;
    let neighbour: LocalForage;
    let store: Store;
    beforeEach(async () => {
      instance = localforage.createInstance({
        name: `anykv-${driver}`,
        storeName: "mine",
        driver: localforage[driver],
      });
      neighbour = localforage.createInstance({
        name: `anykv-${driver}`,
        storeName: "theirs",
        driver: localforage[driver],
      });
      await Promise.all([instance.clear(), neighbour.clear()]);
      store = kv(instance, PATIENT);
    });
    afterEach(async () => {
      await store.close();
      await instance.dropInstance();
      await neighbour.dropInstance();
    });

    it("runs on the driver that the test is for", async () => {
      await store.set("a", 1);
      expect(instance.driver()).toBe(localforage[driver]);
    });

    it("keeps the documented text, and clears no other instance", async () => {
      await neighbour.setItem("a", "theirs");
      await store.set("a", { b: 1 }, { metadata: "m" });
      expect(await instance.getItem("a")).toMatch(
        /^\{"kv":1,"version":"[0-9a-f]{20}","expires":null,"metadata":"m","value":\{"b":1\}\}$/,
      );
      await store.clear();
      expect(await instance.keys()).toEqual([]);
      expect(await neighbour.getItem("a")).toBe("theirs");
    });

    it("lists more items than it reads side by side", async () => {
      const keys = Array.from({ length: 345 }, (_, i) => `k${String(i).padStart(3, "0")}`);
      await store.setMany(keys.map((key) => [key, key] as const));
      expect((await store.entries()).sort()).toEqual(keys.map((key) => [key, key]));
      expect((await store.list({ limit: 3 })).entries.map(({ key }) => key)).toEqual(
        keys.slice(0, 3),
      );
    });

    it("lets plain writes go in the order of the calls", async () => {
      await Promise.all(
        Array.from({ length: 30 }, (_, i) => (i % 3 === 2 ? store.del("a") : store.set("a", i))),
      );
      expect(await store.get("a")).toBe(null);
      await Promise.all(Array.from({ length: 31 }, (_, i) => store.set("a", i)));
      expect(await store.get("a")).toBe(30);
    });

    it("takes a commit back when one of its writes fails, and leaves no trace", async () => {
      await instance.setItem("foreign", { theirs: true });
      await store.setMany([
        ["a", "old"],
        ["b", "old"],
      ]);
      const before = await store.entry("a");
      const error = new DOMException("full", "QuotaExceededError");
      const failing = {
        ready: () => instance.ready(),
        driver: () => instance.driver(),
        config: () => instance.config(),
        keys: () => instance.keys(),
        getItem: (key: string) => instance.getItem(key),
        removeItem: (key: string) => instance.removeItem(key),
        setItem: (key: string, value: unknown) =>
          key === "b" ? Promise.reject(error) : instance.setItem(key, value),
      };
      const broken = kv(failing);
      const changes = ["a", "foreign", "c", "b"].map((key) => ({ key, value: "new" }));
      await expect(broken.commit([], changes)).rejects.toMatchObject({
        code: "KV_QUOTA",
        key: "b",
        cause: error,
      });
      expect(await store.entry("a")).toEqual(before);
      expect(await instance.getItem("foreign")).toEqual({ theirs: true });
      expect((await instance.keys()).sort()).toEqual(["a", "b", "foreign"]);
    });

    it("has finished its writes when close() resolves", async () => {
      await store.has("x");
      let written = 0;
      for (let i = 0; i < 20; i++) void store.set(`k${i}`, i).then(() => written++);
      await store.close();
      await new Promise((resolve) => setTimeout(resolve));
      expect(written).toBe(20);
      // The instance is the user's: it is never closed.
      expect(await instance.getItem("k0")).toContain('"value":0');
    });
  });
}
