import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type CacheOptions, createCache, type L1Options } from "../../src/cache/index.ts";
import { preload } from "./preload.ts";
import kv, { type Store } from "../../src/index.ts";

beforeAll(preload);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store that reports no changes. */
function silent(): Store {
  const data = new Map<string, unknown>();
  return kv({
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    del: (key: string) => void data.delete(key),
    *iterate(prefix: string): Generator<[string, unknown]> {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  });
}

/** Two caches with a first tier each over one store, as two processes have them. */
function two(l1: L1Options, options: CacheOptions = { ttl: "1h" }, l2: Store = silent()) {
  const [one, other] = [0, 1].map(() => createCache({ l1, l2 }, options));
  return { one: one!, other: other!, l2 };
}

describe("two tiers", () => {
  it("read the store once in the ttl of the first tier, and give copies", async () => {
    const { one, other } = two({ ttl: "5s" });
    const value = await one.getOrSet("a", () => ({ tags: ["x"] }));
    value.tags.push("changed");
    const copy = await one.getOrSet("a", () => ({ tags: [] as string[] }));
    expect(copy).toEqual({ tags: ["x"] });
    copy.tags.push("changed");
    expect(await one.get("a")).toEqual({ tags: ["x"] });
    expect(one.stats()).toMatchObject({ l1Hits: 2, l1Entries: 1 });
    await other.set("a", "new");
    vi.advanceTimersByTime(4_999);
    expect(await one.get("a")).toEqual({ tags: ["x"] });
    vi.advanceTimersByTime(1);
    expect(await one.get("a")).toBe("new");
  });

  it("follow the store where it reports its changes", async () => {
    vi.useRealTimers();
    const { one, other } = two({ ttl: "1h" }, { ttl: "1h" }, kv(new Map()) as Store);
    expect(await one.getOrSet("a", () => 1)).toBe(1);
    await other.set("a", 2);
    await vi.waitFor(async () => expect(await one.get("a")).toBe(2));
    expect(one.stats().l1Entries).toBe(1);
    await other.del("a");
    await vi.waitFor(async () => expect(await one.get("a")).toBe(null));
    await Promise.all([one.close(), other.close()]);
  });

  it("see their own writes at once", async () => {
    const { one } = two({});
    await one.set("a", 1);
    expect(await one.get("a")).toBe(1);
    await one.set("a", 2);
    expect(await one.get("a")).toBe(2);
    await one.expire("a");
    expect(await one.get("a")).toBe(null);
    await one.set("a", 3);
    await one.get("a");
    await one.del("a");
    expect(await one.get("a")).toBe(null);
    await one.set("a", 4);
    await one.get("a");
    await one.clear();
    expect([await one.get("a"), one.stats().l1Entries]).toEqual([null, 0]);
  });

  it("do not keep a value whose ttl has ended", async () => {
    const { one } = two({ ttl: "1h" }, { ttl: "10s", jitter: 0 });
    await one.getOrSet("a", () => "old");
    vi.advanceTimersByTime(10_000);
    expect(await one.getOrSet("a", () => "new")).toBe("new");
  });

  it("keep at most so many entries, and those that are read", async () => {
    const { one } = two({ entries: 10, ttl: "1h" });
    for (let i = 0; i < 10; i++) await one.getOrSet(`${i}`, () => i);
    for (let i = 0; i < 5; i++) await one.get(`${i}`);
    for (let i = 10; i < 15; i++) await one.getOrSet(`${i}`, () => i);
    const before = one.stats();
    expect(before.l1Entries).toBe(10);
    for (let i = 0; i < 5; i++) await one.get(`${i}`);
    expect(one.stats().l1Hits - before.l1Hits).toBe(5);
  });

  it("keep at most so many bytes, and no value that is larger", async () => {
    const { one } = two({ bytes: 10_000, ttl: "1h" });
    for (let i = 0; i < 100; i++) await one.getOrSet(`${i}`, () => "x".repeat(400));
    const { l1Bytes, l1Entries } = one.stats();
    expect(l1Bytes).toBeLessThanOrEqual(10_000);
    expect(l1Bytes).toBeGreaterThan(8_000);
    expect(l1Entries).toBe(Math.floor(10_000 / (l1Bytes / l1Entries)));
    await one.getOrSet("large", () => "x".repeat(6_000));
    await one.get("large");
    await one.clear();
    expect(one.stats()).toMatchObject({ l1Bytes: 0, l1Entries: 0 });
  });
});

describe.each(["one tier", "two tiers"])("tags with %s", (tiers) => {
  const make = (options: CacheOptions = { ttl: "1h", grace: "1h" }) => {
    const l2 = kv(new Map());
    const cache = createCache(tiers === "one tier" ? l2 : { l1: {}, l2 }, options);
    return { cache, l2 };
  };
  const failing = (): never => {
    throw new Error("down");
  };

  it("expire and delete all values that have them", async () => {
    const { cache } = make();
    await cache.set("a", 1, { tags: ["users", "user:1"] });
    await cache.set("b", 2, { tags: ["users"] });
    await cache.getOrSet("c", () => 3, { tags: ["posts"] });
    const all = (): Promise<unknown[]> => Promise.all(["a", "b", "c"].map((key) => cache.get(key)));
    expect(await all()).toEqual([1, 2, 3]);
    await cache.expireTags(["user:1"]);
    expect(await all()).toEqual([null, 2, 3]);
    // Stale, so that it is served while the loader fails.
    expect(await cache.getOrSet("a", failing)).toBe(1);
    await cache.delTags(["users"]);
    expect(await all()).toEqual([null, null, 3]);
    for (const key of ["a", "b"])
      await expect(cache.getOrSet(key, failing, { timeout: "1s" })).rejects.toThrow("down");
    await cache.set("a", 4, { tags: ["users", "user:1"] });
    expect(await all()).toEqual([4, null, 3]);
  });

  it("invalidate a value that is being loaded", async () => {
    for (const way of ["before", "by the loader"]) {
      const { cache } = make();
      let calls = 0;
      const load = async ({ setOptions }: { setOptions(options: object): void }) => {
        const value = ++calls;
        if (calls === 1) await cache.delTags(["users"]);
        if (way === "by the loader") setOptions({ tags: ["users"] });
        return value;
      };
      const read = (): Promise<number> =>
        cache.getOrSet("a", load, way === "before" ? { tags: ["users"] } : {});
      expect([way, await read(), await read(), await read()]).toEqual([way, 1, 2, 2]);
    }
  });

  it("are set by the loader", async () => {
    const { cache } = make();
    const load = ({ setOptions }: { setOptions(options: object): void }): string => {
      setOptions({ tags: ["users"] });
      return "loaded";
    };
    await cache.getOrSet("a", load);
    await cache.delTags(["other"]);
    expect(await cache.get("a")).toBe("loaded");
    await cache.delTags(["users"]);
    expect(await cache.get("a")).toBe(null);
  });

  it("are counted for as long as a value has them", async () => {
    const { cache, l2 } = make({ ttl: "10m" });
    await cache.set("a", 1, { tags: ["t"], ttl: "1h" });
    vi.advanceTimersByTime(50 * 60_000);
    expect(await cache.get("a")).toBe(1);
    await cache.set("b", 1, { tags: ["t"], ttl: "1d" });
    vi.advanceTimersByTime(20 * 3600_000);
    expect(await cache.get("b")).toBe(1);
    await l2.del("t:t");
    vi.advanceTimersByTime(6_000);
    // A counter that was lost never makes an old value fresh.
    expect(await cache.get("b")).toBe(null);
  });

  it("are read by one call for many keys", async () => {
    vi.useRealTimers();
    const { cache } = make();
    const keys = ["a", "b", "c"];
    const load = async (missing: readonly string[]) => missing.map((key) => key.toUpperCase());
    await cache.getOrSetMany(keys, load, { tags: ["letters"] });
    expect(await cache.getOrSetMany(keys, failing, { tags: ["letters"] })).toEqual(["A", "B", "C"]);
    await cache.delTags(["letters"]);
    await expect(cache.getOrSetMany(keys, failing)).rejects.toThrow("down");
  });

  it("are rejected without compare-and-set", async () => {
    const data = new Map<string, unknown>();
    const l2 = kv({
      EXPIRES: true,
      get: (key: string) => data.get(key),
      set: (key: string, value: unknown) => void data.set(key, value),
      del: (key: string) => void data.delete(key),
    });
    const cache = createCache(tiers === "one tier" ? l2 : { l1: {}, l2 });
    const rejected = { code: "KV_NOT_SUPPORTED" };
    const load = (): number => 1;
    await expect(cache.getOrSet("a", load, { tags: ["t"] })).rejects.toMatchObject(rejected);
    await expect(cache.set("a", 1, { tags: ["t"] })).rejects.toMatchObject(rejected);
    await expect(cache.delTags(["t"])).rejects.toMatchObject(rejected);
    expect(data.size).toBe(0);
    expect([await cache.getOrSet("a", load), await cache.get("a")]).toEqual([1, 1]);
  });
});
