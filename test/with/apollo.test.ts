import {
  ErrorsAreMissesCache,
  type KeyValueCache,
  PrefixingKeyValueCache,
} from "@apollo/utils.keyvaluecache";
import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { apolloCache } from "../../src/with/apollo/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

describe.each(INTEGRATION_STORES)("the cache of Apollo on %s", (_, open) => {
  it("reads, writes and deletes", async () => {
    const store = (await open()).prefix("basics:");
    const cache: KeyValueCache = apolloCache(store, { prefix: "apollo:" });
    expect(await cache.get("hello")).toBe(undefined);
    await cache.set("hello", "world");
    await cache.set("missing", "");
    expect(await cache.get("hello")).toBe("world");
    expect(await cache.get("missing")).toBe("");
    expect(await cache.delete("hello")).toBe(true);
    expect(await cache.delete("hello")).toBe(false);
    expect(await cache.get("hello")).toBe(undefined);
    expect(await store.keys()).toEqual(["apollo:missing"]);
  });

  it("ends values after their ttl in seconds, and keeps those without one", async () => {
    const cache = apolloCache((await open()).prefix("ttl:"));
    await cache.set("short", "a", { ttl: 0.05 });
    await cache.set("long", "b", { ttl: 60 });
    await cache.set("ever", "c", { ttl: null });
    await expect.poll(() => cache.get("short")).toBe(undefined);
    expect([await cache.get("long"), await cache.get("ever")]).toEqual(["b", "c"]);
  });

  it("works behind the caches of Apollo", async () => {
    const store = (await open()).prefix("behind:");
    const cache = new PrefixingKeyValueCache(apolloCache<{ n: number }>(store), "fqc:");
    await cache.set("a", { n: 1 }, { ttl: 60 });
    expect(await cache.get("a")).toEqual({ n: 1 });
    expect(await store.keys()).toEqual(["fqc:a"]);
  });
});

describe("the cache of Apollo", () => {
  it("rejects while the store is down, and misses behind ErrorsAreMissesCache", async () => {
    const cache = apolloCache(kv(failingClient() as never));
    await expect(cache.get("a")).rejects.toThrow(withCode("KV_CONNECTION"));
    expect(await new ErrorsAreMissesCache(cache).get("a")).toBe(undefined);
  });

  it("rejects wrong options at once", () => {
    expect(() => apolloCache(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => apolloCache(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
