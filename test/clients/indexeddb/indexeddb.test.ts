import "fake-indexeddb/auto";
import { forceCloseDatabase, IDBFactory as FakeFactory } from "fake-indexeddb";
import { afterEach, describe, expect, it, vi } from "vitest";
import { indexeddb } from "../../../src/clients/indexeddb/index.ts";
import kv from "../../../src/index.ts";
import { database, requested } from "../../support/browser-clients.ts";
import { behaves } from "../../suites/browser-suite.ts";
import { indexedDbBehaves } from "../../suites/idb-suite.ts";

behaves(database);
indexedDbBehaves();

/** A factory of its own, and every connection that it hands out. */
function watched(): { factory: IDBFactory; connections: IDBDatabase[] } {
  const factory: IDBFactory = new FakeFactory();
  const connections: IDBDatabase[] = [];
  const open = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = open(...args);
    request.addEventListener("success", () => connections.push(request.result));
    return request;
  };
  return { factory, connections };
}

describe("INDEXEDDB over a polyfill", () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("opens a dead connection again, for reads and for writes", async () => {
    const { factory, connections } = watched();
    const store = kv(factory);
    await store.set("a", 1);
    expect(connections.length).toBe(1);
    forceCloseDatabase(connections[0] as never);
    expect(await store.get("a")).toBe(1);
    forceCloseDatabase(connections[1] as never);
    await store.set("a", 2);
    forceCloseDatabase(connections[2] as never);
    const { version } = (await store.entry("a"))!;
    forceCloseDatabase(connections[3] as never);
    expect(await store.commit([{ key: "a", version }], [{ key: "a", value: 3 }])).toMatchObject({
      ok: true,
    });
    expect(await store.get("a")).toBe(3);
    expect(connections.length).toBe(5);
  });

  it("tries a dead connection once more, not for ever", async () => {
    const { factory, connections } = watched();
    const open = factory.open;
    const store = kv(factory);
    await store.set("a", 1);
    connections[0]!.close();
    let opened = 0;
    factory.open = (...args) => {
      opened++;
      const request = open.apply(factory, args);
      request.addEventListener("success", () => request.result.close());
      return request;
    };
    await expect(store.get("a")).rejects.toMatchObject({
      code: "KV_CONNECTION",
      cause: { name: "InvalidStateError" },
    });
    expect(opened).toBe(1);
    factory.open = open;
    expect(await store.get("a")).toBe(1);
  });

  it("reports a connection that blocks the upgrade, instead of waiting for ever", async () => {
    const { factory, connections } = watched();
    const other = await requested(factory.open("anykv", 3));
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const store = kv(factory);
    const refused = expect(store.set("a", 1)).rejects.toMatchObject({
      code: "KV_CONNECTION",
      message: expect.stringContaining("close the other tabs"),
    });
    // Its own patience, and the store's.
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(2), { interval: 1, timeout: 60_000 });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(vi.getTimerCount()).toBe(2);
    await vi.advanceTimersByTimeAsync(600);
    await refused;
    expect(vi.getTimerCount()).toBe(0);
    const opened = connections.length;
    other.close();
    await vi.waitFor(() => expect(connections.length).toBe(opened + 1), {
      interval: 1,
      timeout: 60_000,
    });
    // What was opened too late is not kept.
    expect(() => connections.at(-1)!.transaction("kv")).toThrow(
      expect.objectContaining({ name: "InvalidStateError" }),
    );
    await store.set("a", 1);
    expect(await store.get("a")).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("starts again when another tab upgrades the database first", async () => {
    const { factory } = watched();
    (await requested(factory.open("anykv", 1))).close();
    const { open } = factory;
    let between = 0;
    factory.open = (name, version) => {
      if (version !== undefined && between++ === 0)
        open(name, 9).addEventListener("success", (event) =>
          (event.target as IDBOpenDBRequest).result.close(),
        );
      return open(name, version);
    };
    await kv(factory).set("a", 1);
    expect(between).toBe(2);
    expect((await requested(open("anykv"))).version).toBe(10);
  });

  it("opens again after a disconnection while it opened", async () => {
    const { factory } = watched();
    const { open } = factory;
    let cuts = 0;
    factory.open = (...args) => {
      const request = open(...args);
      request.addEventListener(
        "upgradeneeded",
        () => void (cuts++ < 3 && request.transaction!.abort()),
      );
      return request;
    };
    await kv(factory).set("a", 1);
    expect(cuts).toBe(4);
  });

  it("keeps no connection to an object store that it refuses", async () => {
    const { factory, connections } = watched();
    const request = factory.open("anykv", 1);
    request.onupgradeneeded = () => void request.result.createObjectStore("kv", { keyPath: "id" });
    await requested(request);
    await expect(kv(factory).get("a")).rejects.toMatchObject({ code: "KV_INVALID_CLIENT" });
    await new Promise((resolve) => setTimeout(resolve));
    expect(() => connections.at(-1)!.transaction("kv")).toThrow(
      expect.objectContaining({ name: "InvalidStateError" }),
    );
  });

  it("writes nothing of a commit when the browser refuses a later value at once", async () => {
    const store = kv(new FakeFactory());
    await store.set("a", "old");
    const { put } = IDBObjectStore.prototype;
    // As browsers do with values that they cannot serialize.
    vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (
      this: IDBObjectStore,
      item,
      key,
    ) {
      if (key === "a") throw new DOMException("The serialized value is too large", "UnknownError");
      return put.call(this, item, key);
    });
    await expect(
      store.commit(
        [],
        [
          { key: "b", value: 1 },
          { key: "a", value: "new" },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    vi.restoreAllMocks();
    expect(await store.entries()).toEqual([["a", "old"]]);
  });

  it("names the missing API where there is no IndexedDB", async () => {
    vi.stubGlobal("indexedDB", undefined);
    await expect(kv("indexeddb://a").get("x")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "INDEXEDDB",
    });
    vi.stubGlobal("IDBKeyRange", undefined);
    await expect(kv(new FakeFactory()).get("x")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
    });
  });

  it("has one listener on its connection", async () => {
    const { factory, connections } = watched();
    await kv(indexeddb(factory)).set("a", 1);
    const { onversionchange, onclose, onabort, onerror } = connections[0]!;
    expect([onversionchange, onclose, onabort, onerror].filter(Boolean)).toEqual([onversionchange]);
  });
});
