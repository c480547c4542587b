import { createStorage, prefixStorage } from "unstorage";
import { describe, expect, it, vi } from "vitest";
import kv from "../../src/index.ts";
import { unstorageDriver } from "../../src/with/unstorage/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

let prefixes = 0;

describe.each(INTEGRATION_STORES)("unstorage on %s", (_, open) => {
  const setup = async () => {
    const store = await open();
    const prefix = `un${prefixes++}:`;
    const storage = createStorage({ driver: unstorageDriver(store, { prefix }) });
    return { store: store.prefix(prefix), storage };
  };

  it("reads and writes the values of unstorage", async () => {
    const { storage } = await setup();
    expect(await storage.getItem("a:b")).toBe(null);
    await storage.setItem("a:b", "text");
    await storage.setItem("a:c", { n: [1, true, null] });
    await storage.setItem("n", 5);
    expect(await storage.getItem("a:b")).toBe("text");
    expect(await storage.getItem("a/c")).toEqual({ n: [1, true, null] });
    expect(await storage.getItem("n")).toBe(5);
    expect(await storage.hasItem("a:b")).toBe(true);
    await storage.removeItem("a:b");
    expect(await storage.hasItem("a:b")).toBe(false);
  });

  it("keeps raw bytes", async () => {
    const { storage } = await setup();
    const bytes = new Uint8Array([0, 1, 2, 250, 255]);
    await storage.setItemRaw("raw", bytes);
    expect(new Uint8Array((await storage.getItemRaw<Uint8Array>("raw"))!)).toEqual(bytes);
  });

  it("reads and writes many items", async () => {
    const { storage } = await setup();
    await storage.setItems([
      { key: "a", value: "1" },
      { key: "b", value: { n: 2 } as never },
    ]);
    expect(await storage.getItems(["b", "c", "a"])).toEqual([
      { key: "b", value: { n: 2 } },
      { key: "c", value: null },
      { key: "a", value: 1 },
    ]);
  });

  it("lists and clears a base, and mounts", async () => {
    const { storage, store } = await setup();
    await storage.setItem("s1:a", "1");
    await storage.setItem("s1:b:c", "2");
    await storage.setItem("s12:a", "3");
    expect((await storage.getKeys()).sort()).toEqual(["s12:a", "s1:a", "s1:b:c"]);
    expect((await storage.getKeys("s1")).sort()).toEqual(["s1:a", "s1:b:c"]);
    expect(await storage.getKeys("s1", { maxDepth: 1 })).toEqual(["s1:a"]);
    expect(await prefixStorage(storage, "s1").getKeys()).toEqual(["a", "b:c"]);
    // unstorage itself clears whole mounts alone.
    await storage.getMount().driver.clear!("s1:", {});
    expect(await store.keys()).toEqual(["s12:a"]);
    await storage.clear();
    expect(await storage.getKeys()).toEqual([]);
  });

  it("ends items after their ttl, which getMeta tells", async () => {
    const { storage } = await setup();
    await storage.setItem("long", "1", { ttl: 60 });
    await storage.setItem("short", "1", { ttl: 0.05 });
    await storage.setItem("ever", "1", { ttl: 0 });
    expect(await storage.getMeta("ever", { nativeOnly: true })).toEqual({});
    const { ttl } = await storage.getMeta("long", { nativeOnly: true });
    expect(ttl).toBeGreaterThan(50);
    expect(ttl).toBeLessThanOrEqual(60);
    await expect.poll(() => storage.getItem("short")).toBe(null);
    expect(await storage.getMeta("short", { nativeOnly: true })).toEqual({});
  });

  it("reports changes of another storage over the same client", async () => {
    const { storage, store } = await setup();
    const events: string[] = [];
    const shown = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const unwatch = await storage.watch((event, key) => void events.push(`${event} ${key}`));
    await storage.watch(() => {
      throw new Error("a listener failed");
    });
    await store.set("a:b", "1");
    await expect.poll(() => events).toContain("update a:b");
    await store.del("a:b");
    await expect.poll(() => events).toContain("remove a:b");
    expect(shown).toHaveBeenCalledTimes(events.length);
    shown.mockRestore();
    await unwatch();
  });
});

describe("unstorage", () => {
  it("rejects while the store is down", async () => {
    const storage = createStorage({ driver: unstorageDriver(kv(failingClient() as never)) });
    await expect(storage.setItem("a", "1")).rejects.toThrow(withCode("KV_CONNECTION"));
    await expect(storage.getItem("a")).rejects.toThrow(withCode("KV_CONNECTION"));
  });

  it("closes the store when it is disposed", async () => {
    const store = kv(new Map());
    const storage = createStorage({ driver: unstorageDriver(store) });
    await storage.dispose();
    await expect(store.get("a")).rejects.toThrow(withCode("KV_CLOSED"));
  });

  it("rejects wrong options at once", () => {
    expect(() => unstorageDriver(kv(), { base: "a" } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => unstorageDriver(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
