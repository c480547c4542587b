import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCache } from "../../src/cache/index.ts";
import kv from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { redisServer } from "../support/redis-server.ts";

const redis = await redisServer();
beforeAll(async () => void (await redis.start()));
afterAll(() => redis.remove());

describe("a cache on a Redis that does not answer", () => {
  it("waits for one timeout, loads meanwhile, and uses Redis again once it answers", async () => {
    const client = createClient({ url: redis.url }).on("error", () => undefined);
    const store = kv(client, { timeout: "1s" });
    const errors: unknown[] = [];
    const cache = createCache(store, {
      ttl: "1h",
      breaker: "2s",
      onError: (error) => errors.push((error as { code: string }).code),
    });
    expect(await cache.getOrSet("a", () => "cached")).toBe("cached");
    redis.pause();
    const begun = performance.now();
    try {
      for (let i = 0; i < 20; i++)
        expect(await cache.getOrSet("a", () => `loaded ${i}`)).toBe(`loaded ${i}`);
    } finally {
      redis.resume();
    }
    // Not one timeout for each of them.
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(new Set(errors)).toEqual(new Set(["KV_CONNECTION"]));
    await eventually(() => cache.getOrSet("a", () => "loaded")).toBe("cached");
    await cache.close();
    await store.close();
  });
});

describe("a cache on a Redis that is lost during a load", () => {
  it("waits for one timeout, and does not ask again to give the lease back", async () => {
    const client = createClient({ url: redis.url }).on("error", () => undefined);
    const store = kv(client, { timeout: "1s" });
    const errors: unknown[] = [];
    const cache = createCache(store, {
      ttl: "1h",
      breaker: "1m",
      onError: (error) => errors.push((error as { code: string }).code),
    });
    const load = (): string => {
      redis.pause();
      return "loaded";
    };
    try {
      expect(await cache.getOrSet("lost", load)).toBe("loaded");
    } finally {
      redis.resume();
    }
    expect(errors).toEqual(["KV_CONNECTION"]);
    await cache.close();
    await store.close();
  });
});

describe("a cache on a Redis that is full", () => {
  it("returns loaded values, serves cached ones, and reports the error", async () => {
    const client = createClient({ url: redis.url }).on("error", () => undefined);
    await client.connect();
    const errors: unknown[] = [];
    const onError = (error: unknown, { during }: { during: string }): void =>
      void errors.push([(error as { code: string }).code, during]);
    const cache = createCache(client, { ttl: "1h", grace: "1h", onError });
    await cache.set("hit", "cached");
    await cache.set("stale", "old");
    await cache.expire("stale");
    await client.configSet("maxmemory", "1");
    try {
      expect(await cache.getOrSet("hit", () => "loaded")).toBe("cached");
      expect(await cache.getOrSet("miss", () => "loaded")).toBe("loaded");
      expect(errors).toEqual([["KV_QUOTA", "store"]]);
      expect(await cache.getOrSet("tagged", () => "loaded", { tags: ["t"] })).toBe("loaded");
      expect(await cache.getOrSetMany(["hit", "one", "two"], (keys) => keys)).toEqual([
        "cached",
        "one",
        "two",
      ]);
      expect(await cache.getOrSet("stale", () => "new", { timeout: "1m" })).toBe("new");
      await expect(cache.set("a", 1)).rejects.toMatchObject({ code: "KV_QUOTA" });
    } finally {
      await client.configSet("maxmemory", "0");
    }
    expect(cache.stats().storeErrors).toBe(errors.length);
    await cache.close();
  });
});
