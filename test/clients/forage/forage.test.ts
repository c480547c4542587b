import "fake-indexeddb/auto";
import localforage from "localforage";
import { afterEach, describe, expect, it, vi } from "vitest";
import kv from "../../../src/index.ts";
import { forages } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { forageBehaves } from "../../suites/forage-suite.ts";

for (const subject of forages) behaves(subject);
forageBehaves("INDEXEDDB");
forageBehaves("LOCALSTORAGE");

describe("FORAGE", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("holds its commits together without Web Locks, too", async () => {
    vi.stubGlobal("navigator", {});
    const instance = localforage.createInstance({ name: "no-locks" });
    const stores = [kv(instance), kv(instance)];
    const add = async (i: number): Promise<void> => {
      for (;;) {
        const found = await stores[i % 2]!.entry<number>("n");
        const result = await stores[i % 2]!.commit(
          [{ key: "n", version: found?.version ?? null }],
          [{ key: "n", value: (found?.value ?? 0) + 1 }],
        );
        if (result.ok) return;
      }
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => add(i)));
    expect(await stores[0]!.get("n")).toBe(30);
  });

  it("reads no more than a hundred items ahead, which may be large", async () => {
    const instance = localforage.createInstance({ name: "many" });
    // Through a store of its own, whose sweeps end with it.
    const writer = kv(instance);
    await writer.setMany(Array.from({ length: 250 }, (_, i) => [`k${i}`, i]));
    await writer.close();
    const store = kv(instance);
    await store.get("k0");
    const reads = vi.spyOn(instance, "getItem");
    for await (const _ of store) break;
    expect(reads).toHaveBeenCalledTimes(100);
    expect(await store.keys()).toHaveLength(250);
  });

  it("works on a driver of one's own that keeps what it is given", async () => {
    const items = new Map<string, unknown>();
    await localforage.defineDriver({
      _driver: "memory",
      _support: true,
      _initStorage: async () => {},
      getItem: async (key: string) => (items.get(key) ?? null) as never,
      setItem: async (key: string, value: unknown) => (items.set(key, value), value as never),
      removeItem: async (key: string) => void items.delete(key),
      keys: async () => [...items.keys()],
      clear: async () => items.clear(),
      length: async () => items.size,
      key: async (i: number) => [...items.keys()][i]!,
      iterate: async () => undefined as never,
    });
    const store = kv(localforage.createInstance({ name: "own", driver: "memory" }));
    const value = { list: [1] };
    await store.set("a", value);
    value.list.push(2);
    const found = (await store.get<typeof value>("a"))!;
    found.list.push(3);
    expect(await store.get("a")).toEqual({ list: [1] });
    expect(
      await store.commit(
        [],
        [
          { key: "b", value: 1 },
          { key: "c", value: 1 },
        ],
      ),
    ).toMatchObject({ ok: true });
    expect([...items.keys()]).toEqual(["a", "b", "c"]);
  });

  it("tells when its storage cannot be reached", async () => {
    const instance = localforage.createInstance({ name: "none", driver: "no such driver" });
    await expect(kv(instance).set("a", 1)).rejects.toMatchObject({
      code: "KV_CONNECTION",
      client: "FORAGE",
    });
  });
});
