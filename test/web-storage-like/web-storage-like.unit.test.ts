import { describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { createWebStorageLike } from "../../src/web-storage-like/index.ts";
import { withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

describe("anykv/web-storage-like", () => {
  it("reads, writes, removes, lists and clears items of a prefix", async () => {
    const store = kv(new Map());
    await store.set("other", 1);
    const storage = createWebStorageLike(store.prefix("state:"));
    expect(await storage.getItem("a")).toBe(null);
    await storage.setItem("a", { n: 1 });
    await storage.setItem("b", "text");
    expect(await storage.getItem("a")).toEqual({ n: 1 });
    expect(await storage.entries()).toEqual([
      ["a", { n: 1 }],
      ["b", "text"],
    ]);
    await storage.removeItem("a");
    expect(await storage.keys()).toEqual(["b"]);
    await storage.clear();
    expect(await store.keys()).toEqual(["other"]);
  });

  it("keeps the order of writes that nothing awaits", async () => {
    const storage = createWebStorageLike(kv(Promise.resolve(new Map())));
    for (let i = 0; i < 20; i++) void storage.setItem("a", i);
    expect(await storage.getItem("a")).toBe(19);
  });

  it("hands the errors of writes to onError, and rejects without it", async () => {
    const store = kv(failingClient() as never);
    await expect(createWebStorageLike(store).setItem("a", 1)).rejects.toThrow(
      withCode("KV_CONNECTION"),
    );
    const errors: unknown[] = [];
    const storage = createWebStorageLike(store, { onError: (error) => void errors.push(error) });
    await storage.setItem("a", 1);
    await storage.removeItem("a");
    await storage.setItem("", 1);
    await expect(storage.getItem("a")).rejects.toThrow(withCode("KV_CONNECTION"));
    expect(errors).toEqual(
      ["KV_CONNECTION", "KV_CONNECTION", "KV_INVALID_KEY"].map((code) => withCode(code)),
    );
  });

  it("rejects wrong options", () => {
    expect(() => createWebStorageLike(kv(), { ttl: 5 } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => createWebStorageLike(kv(), { onError: true } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => createWebStorageLike(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
