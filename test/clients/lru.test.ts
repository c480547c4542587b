import { LRUCache } from "lru-cache";
import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";

describe("LRU", () => {
  it("evicts the item that was used longest ago; a read is a use, a look is none", async () => {
    const cache = new LRUCache<string, object>({ max: 3 });
    const store = kv(cache);
    await store.setMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    await store.get("a");
    expect(await store.has("b")).toBe(true);
    expect((await store.entries()).length).toBe(3);
    expect((await store.list()).entries.length).toBe(3);
    await store.commit([{ key: "b", version: "0".repeat(20) }], []);
    await store.set("d", 4);
    expect((await store.keys()).sort()).toEqual(["a", "c", "d"]);
    expect(await store.get("b")).toBe(null);
    expect(cache.size).toBe(3);
  });

  it("keeps within the sizes of the cache, and the old value for a too large one", async () => {
    const cache = new LRUCache<string, object>({ maxSize: 1000 });
    const store = kv(cache);
    expect(store.supports).toMatchObject({
      valueBytes: 1000,
      persistent: false,
      atomic: "process",
    });
    await store.set("a", "before");
    await expect(store.set("a", "x".repeat(998))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      client: "LRU",
      key: "a",
    });
    await expect(
      store.setMany([
        ["b", 1],
        ["a", "x".repeat(998)],
      ]),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    await expect(
      store.commit(
        [],
        [
          { key: "b", value: 1 },
          { key: "a", value: "x".repeat(998) },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    expect(await store.getMany(["a", "b"])).toEqual(["before", null]);
    // Key, quotes and text in UTF-8.
    await store.set("a", "é".repeat(498));
    expect(cache.calculatedSize).toBe(999);
    await store.set("b", "x".repeat(600));
    expect(await store.keys()).toEqual(["b"]);
  });

  it("asks the sizeCalculation of the cache about bare values", async () => {
    const asked: unknown[] = [];
    const cache = new LRUCache<string, object>({
      maxSize: 10,
      maxEntrySize: 5,
      sizeCalculation: (value, key) => {
        asked.push([key, value]);
        return (value as unknown as string).length;
      },
    });
    const store = kv(cache);
    expect(store.supports.valueBytes).toBe(Infinity);
    await store.setMany([
      ["a", "12345"],
      ["b", "1234"],
    ]);
    await store.set("c", "");
    expect(cache.calculatedSize).toBe(10);
    await expect(store.set("a", "123456")).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    // An object has no length: it counts as it is long.
    await store.set("d", {});
    expect(asked).toEqual([
      ["a", "12345"],
      ["b", "1234"],
      ["c", ""],
      ["a", "123456"],
      ["d", {}],
    ]);
    expect(await store.get("a")).toBe(null);
    expect(await store.getMany(["b", "c", "d"])).toEqual(["1234", "", {}]);
  });

  it("gives the cache the deadline plus a second, or none, despite its default", async () => {
    const cache = new LRUCache<string, object>({ max: 10, ttl: 5, noUpdateTTL: true });
    const store = kv(cache);
    await store.set("a", 1, { expires: "1h" });
    await store.set("b", 1);
    await store.set("c", 1, { expires: new Date("9999-12-31") });
    expect(cache.getRemainingTTL("a")).toBeGreaterThan(3_600_000);
    expect(cache.getRemainingTTL("a")).toBeLessThanOrEqual(3_601_000);
    await store.set("a", 2);
    for (const key of ["a", "b", "c"]) expect(cache.getRemainingTTL(key)).toBe(Infinity);
  });

  it("arms no timer that is too long for one", async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listener);
    const store = kv(new LRUCache<string, object>({ max: 10, ttl: 1000, ttlAutopurge: true }));
    await store.set("a", 1, { expires: "1y" });
    await store.set("b", 1, { expires: "20d" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", listener);
    expect(warnings).toEqual([]);
    expect(await store.getMany(["a", "b"])).toEqual([1, 1]);
  });

  it("shares the cache with items and methods of its owner's", async () => {
    const disposed: unknown[] = [];
    const cache = new LRUCache<{}, object, unknown>({
      max: 10,
      dispose: (_value, key, reason) => disposed.push([key, reason]),
      fetchMethod: async () => ({ fetched: 1 }),
    });
    cache.set(1, { theirs: 1 });
    cache.set("theirs", { theirs: 2 });
    const pending = cache.fetch("fetched");
    const store = kv(cache as unknown as LRUCache<string, object>);
    await store.set("mine", { a: 1 });
    expect(await store.keys()).toEqual(["mine"]);
    await expect(store.get("theirs")).rejects.toMatchObject({ code: "KV_FOREIGN", key: "theirs" });
    await store.clear();
    expect(await pending).toEqual({ fetched: 1 });
    expect([...cache.keys()]).toEqual(["theirs", "fetched", 1]);
    expect(disposed).toEqual([["mine", "delete"]]);
    expect(kv(cache as unknown as LRUCache<string, object>).type).toBe("LRU");
  });

  it("frees expired items as others are written", async () => {
    const cache = new LRUCache<string, object>({
      max: 5000,
      allowStale: true,
      noDeleteOnStaleGet: true,
    });
    const store = kv(cache);
    await store.setMany(
      Array.from({ length: 50 }, (_, i) => [`e${i}`, i]),
      { expires: 0.001 },
    );
    while (await store.has("e49"));
    for (let i = 0; i < 400; i++) await store.set("w", i);
    expect(cache.size).toBe(1);
  });
});
