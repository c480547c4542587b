import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SWEEP } from "../../src/store/connection.ts";
import type { Client, KvOptions, Store } from "../../src/index.ts";

/** A store in a program that has loaded nothing but `kv()`. */
async function begin(client: Client = new Map(), options: KvOptions = {}) {
  vi.resetModules();
  const [{ default: kv }, { lazy }] = await Promise.all([
    import("../../src/index.ts"),
    import("../../src/platform/load.ts"),
  ]);
  return { store: kv(client, options) as Store, hasLoaded: () => lazy.code !== undefined };
}

const T = 1_900_000_000_000;
let clock = T;
beforeEach(() => {
  clock = T;
  vi.spyOn(Date, "now").mockImplementation(() => clock);
});
afterEach(() => vi.restoreAllMocks());

it("carries out reads and writes of single keys without loading more code", async () => {
  const { store, hasLoaded } = await begin();
  const inner = store.prefix("p:").expires("1h");
  expect(await store.set("text", "a")).toBe("text");
  await store.set("number", 1, {});
  await inner.set("object", { n: [1] }, { expires: null });
  await inner.set("short", true, { expires: "1s" });
  await inner.set("default", 0);
  expect(await store.get("text")).toBe("a");
  expect(await inner.get("object")).toEqual({ n: [1] });
  expect(await store.has("p:short")).toBe(true);
  expect(await store.has("absent")).toBe(false);
  expect(await store.get("absent")).toBe(null);
  clock = T + 999;
  expect(await inner.get("short")).toBe(true);
  expect(await store.del("text")).toBe("text");
  expect(await store.has("text")).toBe(false);
  expect(await store.set("number", null)).toBe("number");
  expect(await store.get("number")).toBe(null);
  expect(hasLoaded()).toBe(false);
  clock = T + 3_600_000 - 1;
  expect(await inner.get("default")).toBe(0);
  clock = T + 3_600_000;
  expect([await inner.get("default"), await inner.get("object")]).toEqual([null, { n: [1] }]);
});

it("keeps copies, and hands out none of its own objects", async () => {
  const { store } = await begin();
  const value = { list: [1] };
  await store.set("a", value);
  value.list.push(2);
  expect(await store.get("a")).toEqual({ list: [1] });
  ((await store.get("a")) as { list: number[] }).list.push(3);
  expect(await store.get("a")).toEqual({ list: [1] });
});

it("writes nothing for a deadline that is now or has passed, and deletes the record", async () => {
  for (const expires of [0, -1, new Date(T), new Date(T - 1)]) {
    const map = new Map();
    const { store } = await begin(map);
    await store.set("a", 1);
    await store.set("a", 2, { expires });
    expect(map.size, String(expires)).toBe(0);
  }
});

it("reads nothing from the moment of the deadline on", async () => {
  const { store, hasLoaded } = await begin();
  await store.set("a", 1, { expires: new Date(T + 50) });
  clock = T + 49;
  expect(await store.get("a")).toBe(1);
  expect(hasLoaded()).toBe(false);
  clock = T + 50;
  expect([await store.get("a"), await store.has("a")]).toEqual([null, false]);
});

const versioned = { encode: (value: unknown) => value, decode: (value: unknown) => value };

// What the short way cannot do, and how it ends: a result, or the code of an error.
const LEFT: readonly [name: string, run: (store: Store) => Promise<unknown>, end: unknown][] = [
  ["an empty key", (store) => store.get(""), "KV_INVALID_KEY"],
  ["a key that is no text", (store) => store.has(5 as never), "KV_INVALID_KEY"],
  ["a key with a lone surrogate", (store) => store.set("\ud800", 1), "KV_INVALID_KEY"],
  ["the empty key of a deletion", (store) => store.del(""), "KV_INVALID_KEY"],
  ["metadata", (store) => store.set("a", 1, { metadata: 1 }), "a"],
  ["metadata and expiry", (store) => store.set("a", 1, { expires: 9, metadata: 1 }), "a"],
  ["an unknown option", (store) => store.set("a", 1, { ttl: 1 } as never), "KV_INVALID_VALUE"],
  ["options of null", (store) => store.set("a", 1, null as never), "KV_INVALID_EXPIRES"],
  ["options of a number", (store) => store.set("a", 1, 5 as never), "KV_INVALID_EXPIRES"],
  ["the form of a marked value", (store) => store.set("a", { $codec: "x", value: 1 }), "a"],
  ["an object of a class", (store) => store.set("a", new Date(0) as never), "KV_INVALID_VALUE"],
  ["a wrong expiry", (store) => store.set("a", 1, { expires: "x" as never }), "KV_INVALID_EXPIRES"],
];

it.each(LEFT)("leaves %s to the operations", async (_, run, end) => {
  const map = new Map();
  const { store, hasLoaded } = await begin(map);
  const outcome = await run(store).catch((error: { code: string }) => error.code);
  expect(outcome).toBe(end);
  expect(hasLoaded()).toBe(true);
  expect(map.size).toBe(end === "a" ? 1 : 0);
});

it("leaves the stores of a codec to the operations", async () => {
  const { store, hasLoaded } = await begin(new Map(), { codec: versioned as never });
  await store.set("a", 1);
  expect(hasLoaded()).toBe(true);
  expect(await store.get("a")).toBe(1);
});

it("waits behind one operation that was called before", async () => {
  const { store, hasLoaded } = await begin();
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  // The first loads code, which takes several turns of the event loop.
  const first = store.set("a", 1, { metadata: "first" }).then(note("first"));
  const second = store.set("a", 2).then(note("second"));
  const third = store.get("a").then(note("third"));
  const found = store.get("a");
  expect(hasLoaded()).toBe(false);
  await Promise.all([first, second, third]);
  expect(order).toEqual(["first", "second", "third"]);
  expect(await found).toBe(2);
  expect((await store.entry("a"))!.metadata).toBe(null);
});

it("waits behind an operation that reads before it writes", async () => {
  const { store } = await begin();
  await store.set("a", 1, { metadata: 1 });
  const touched = store.touch("a", "1h");
  const written = store.set("a", 2);
  expect([await touched, await written]).toEqual([true, "a"]);
  expect(await store.entry("a")).toMatchObject({ value: 2, expires: null, metadata: null });
});

it.each(["set", "del"])(
  "removes expired records with the %s() that a sweep is due after",
  async (last) => {
    const map = new Map();
    const { store } = await begin(map);
    await store.set("old", 1, { expires: "1s" });
    clock = T + 1000;
    for (let i = 0; i < SWEEP - 2; i++) await store.set("a", i);
    expect(map.size).toBe(2);
    await (last === "set" ? store.set("a", 1) : store.del("a"));
    expect(map.has("old")).toBe(false);
  },
);

it("reports a client that throws, by the operations", async () => {
  const map = new Map();
  const { store } = await begin(map);
  await store.set("a", 1);
  map.get =
    map.set =
    map.delete =
      () => {
        throw new Error("broken");
      };
  for (const run of [() => store.get("a"), () => store.set("a", 2), () => store.del("a")])
    await expect(run()).rejects.toMatchObject({ code: "KV_CONNECTION" });
});

it("rejects every call after close()", async () => {
  const { store } = await begin();
  await store.set("a", 1);
  await store.close();
  for (const run of [() => store.get("a"), () => store.has("a"), () => store.set("a", 2)])
    await expect(run()).rejects.toMatchObject({ code: "KV_CLOSED" });
  await expect(store.del("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
});
