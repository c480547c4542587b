import { describe, expect, it } from "vitest";
import { createCacheLike } from "../../src/cache-like/index.ts";
import kv from "../../src/index.ts";
import { withCode } from "../support/integration-stores.ts";
import { plainClient } from "../support/plain-client.ts";

const clients: [name: string, client: () => unknown][] = [
  ["a Map", () => new Map()],
  ["a client without versions", plainClient],
  ["a promise of a client", () => Promise.resolve(new Map())],
];

describe.each(clients)("anykv/cache-like over %s", (_, client) => {
  it("reads, writes and deletes with the chosen absent value", async () => {
    const cache = createCacheLike(kv(client() as never), { unit: "s", missing: undefined });
    expect(await cache.get("a")).toBe(undefined);
    await cache.set("a", 0);
    expect(await cache.get("a")).toBe(0);
    expect(await cache.has("a")).toBe(true);
    expect(await cache.delete("a")).toBe(true);
    expect(await cache.delete("a")).toBe(false);
    await cache.setMany([
      ["b", 1],
      ["c", 2, 60],
    ]);
    expect(await cache.getMany(["c", "d", "b"])).toEqual([2, undefined, 1]);
    expect(await cache.deleteMany(["b", "d"])).toEqual([true, false]);
    await cache.set("c", 3, -1);
    expect(await cache.has("c")).toBe(false);
  });
});

describe("anykv/cache-like", () => {
  it("converts every unit, and has values without an end", async () => {
    const store = kv(new Map()).expires("1h");
    const now = Date.now();
    const lifetimes = { s: 60, ms: 60_000, at: now + 60_000 } as const;
    for (const unit of ["s", "ms", "at"] as const) {
      const cache = createCacheLike(store, { unit, missing: null });
      await cache.set("a", 1, lifetimes[unit]);
      const { expires } = (await store.entry("a"))!;
      expect(expires! - now).toBeGreaterThanOrEqual(60_000);
      expect(expires! - now).toBeLessThan(120_000);
      await cache.set("a", 1, Infinity);
      expect((await store.entry("a"))!.expires).toBe(null);
      await cache.set("a", 1);
      expect((await store.entry("a"))!.expires! - now).toBeGreaterThan(3_000_000);
      expect(await cache.get("b")).toBe(null);
    }
  });

  it("clears and lists the prefix of its store alone", async () => {
    const store = kv(new Map());
    await store.set("other", 1);
    const cache = createCacheLike(store.prefix("cache:"), { unit: "s", missing: null });
    await cache.set("a", 1);
    const entries: unknown[] = [];
    for await (const entry of cache.entries()) entries.push(entry);
    expect(entries).toEqual([["a", 1]]);
    await cache.clear();
    expect(await store.keys()).toEqual(["other"]);
  });

  it("rejects wrong options and lifetimes", async () => {
    const make = (options: object) => () => createCacheLike(kv(), options as never);
    expect(make({ unit: "h", missing: null })).toThrow(withCode("KV_INVALID_VALUE"));
    expect(make({ unit: "s", ttl: 5 })).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => createCacheLike({} as never, { unit: "s", missing: null })).toThrow(
      withCode("KV_INVALID_CLIENT"),
    );
    const cache = createCacheLike(kv(), { unit: "s", missing: null });
    await expect(cache.set("a", 1, NaN)).rejects.toThrow(withCode("KV_INVALID_EXPIRES"));
    await expect(cache.set("a", 1, "1h" as never)).rejects.toThrow(withCode("KV_INVALID_EXPIRES"));
  });
});
