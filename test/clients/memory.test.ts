import { expect, it, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv from "../../src/index.ts";
import { certify } from "../suites/certify.ts";

let map = new Map<unknown, unknown>();

certify(
  "MEMORY",
  {
    open: () => kv((map = new Map())),
    foreign: {
      put: (_store, key) => void map.set(key, { anything: 1 }),
      has: (_store, key) => map.has(key),
    },
    runs: 300,
  },
  { wrappers: true },
);

certify("MEMORY with the rich codec", {
  open: () => kv(new Map(), { codec: rich }) as never,
  codec: true,
  runs: 100,
});

it("keeps records in the Map that it was given, and leaves keys of others alone", async () => {
  const map = new Map<unknown, unknown>([
    [42, "number"],
    [{}, "object"],
    ["mine", "raw"],
  ]);
  const store = kv(map);
  await store.set("a", 1);
  expect(map.has("a")).toBe(true);
  expect(await store.keys()).toEqual(["a"]);
  await store.clear();
  expect([...map.values()]).toEqual(["number", "object", "raw"]);
});

it("refuses a raw value under the store's key, as the store says", async () => {
  const map = new Map<string, unknown>();
  const store = kv(map);
  await store.set("a", "b");
  map.set("a", "b");
  await expect(store.get("a")).rejects.toMatchObject({
    code: "KV_FOREIGN",
    client: "MEMORY",
    key: "a",
  });
});

it("shares one Map between stores, and separates stores without one", async () => {
  const shared = new Map();
  await kv(shared).set("a", 1);
  expect(await kv(shared).get("a")).toBe(1);
  await kv().set("a", 1);
  expect(await kv().get("a")).toBe(null);
});

it("frees the expired records that a page of a listing meets", async () => {
  const map = new Map();
  const store = kv(map);
  await store.setMany(
    Array.from({ length: 1000 }, (_, i) => [`a${i}`, i]),
    { expires: 1 },
  );
  await store.set("b", { c: 1 });
  const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() + 2000);
  const { entries } = await store.list({ limit: 1 });
  now.mockRestore();
  expect([entries.map(({ key }) => key), [...map.keys()]]).toEqual([["b"], ["b"]]);
  (entries[0]!.value as { c: number }).c = 2;
  expect(await store.get("b")).toEqual({ c: 1 });
});

it("frees expired records as others are written, without anybody reading them", async () => {
  const map = new Map();
  const store = kv(map);
  for (let i = 0; i < 1000; i++) await store.set(`short${i}`, i, { expires: 0.001 });
  const until = Date.now() + 2;
  while (Date.now() < until);
  for (let i = 0; i < 3000; i++) await store.set(`w${i % 10}`, i);
  expect([...map.keys()].filter((key) => key.startsWith("short")).length).toBe(0);
});
