import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { Codec } from "../../src/api.ts";
import { http } from "../../src/clients/http/index.ts";
import { rich } from "../../src/codec.ts";
import { createHandler, spaceOf } from "../../src/http/index.ts";
import kv, { type Client, type CustomClient, type Json } from "../../src/index.ts";
import { place } from "../support/disk.ts";
import { DRIVERS } from "../support/sqlite-drivers.ts";

const dates: Codec<Date> = {
  name: "dates",
  encode: (date) => date.toISOString(),
  decode: (json) => new Date(json as string),
};

/** A client that is given bare values and keeps their JSON. */
function bare(): CustomClient {
  const data = new Map<string, string>();
  return {
    EXPIRES: true,
    get: (key: string) => (data.has(key) ? (JSON.parse(data.get(key)!) as Json) : null),
    set: (key: string, value: Json) =>
      void (value === null ? data.delete(key) : data.set(key, JSON.stringify(value))),
    *iterate(prefix: string) {
      for (const [key, text] of data) if (key.startsWith(prefix)) yield [key, JSON.parse(text)];
    },
  };
}

const CLIENTS: { readonly [name: string]: () => Client } = {
  "a Map": () => new Map(),
  "a file": () => pathToFileURL(join(place(), "data.json")),
  "a SQLite database": () => DRIVERS["node:sqlite"]!(":memory:"),
  "a client that keeps bare values": bare,
};

// Values that could be taken for encoded ones.
const LOOKALIKES: { readonly [name: string]: Json } = {
  mark: { $codec: "rich", value: [1] },
  "mark of nothing": { $codec: "", value: 1 },
  "mark in a mark": { $codec: "", value: { $codec: "rich", value: 1 } },
  "no mark": { $codec: "rich" },
  "a member more": { $codec: "rich", value: 1, more: 2 },
  "another type": { $codec: 5, value: 1 },
  "wrapper of 0.1.0": { $rich: [1] },
  operator: { $set: { a: 1 } },
};

for (const [name, open] of Object.entries(CLIENTS)) {
  describe(`over ${name}`, () => {
    it("rejects values of a named codec that are read without it", async () => {
      const client = open();
      const date = new Date(0);
      await kv(client, { codec: rich }).set("k", { date });
      const store = kv(client);
      const error = {
        code: "KV_CORRUPT",
        client: store.type,
        key: "k",
        message:
          'the value under "k" was written with the codec "rich": read it with ' +
          "kv(client, { codec })",
      };
      const reads = [
        () => store.get("k"),
        () => store.entry("k"),
        () => store.getMany(["k"]),
        () => store.values(),
        () => store.entries(),
        () => store.all(),
        () => store.list(),
        () => store.iterate().next(),
        () => kv(client, { codec: dates }).get("k"),
        () => kv(client, { codec: { encode: String, decode: String } }).get("k"),
      ];
      for (const read of reads) await expect(read()).rejects.toMatchObject(error);
      expect(await store.has("k")).toBe(true);
      expect(await store.keys()).toEqual(["k"]);
      expect(await store.touch("k", "1h")).toBe(true);
      expect(await kv(client, { codec: rich }).get("k")).toEqual({ date });
    });

    it("reads its own values, and JSON without a codec", async () => {
      const client = open();
      const store = kv<Date>(client as Client, { codec: dates });
      await store.set("k", new Date(5));
      await kv(client).set("plain", "1970-01-01T00:00:00.007Z");
      expect(await store.getMany(["k", "plain"])).toEqual([new Date(5), new Date(7)]);
      await kv(client, { codec: rich }).set("rich", { a: [1] });
      expect(await kv(client).get("rich")).toEqual({ a: [1] });
    });

    it("keeps JSON that looks encoded, with a codec and without", async () => {
      for (const codec of [undefined, rich]) {
        const store = kv(open(), { codec: codec as typeof rich });
        for (const [key, value] of Object.entries(LOOKALIKES)) await store.set(key, value);
        expect(await store.all()).toEqual(LOOKALIKES);
      }
    });
  });
}

it("stores the name of the codec beside the value", async () => {
  const items = new Map<string, string>();
  const storage = {
    get length() {
      return items.size;
    },
    key: (i: number) => [...items.keys()][i] ?? null,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, text: string) => void items.set(key, text),
    removeItem: (key: string) => void items.delete(key),
  };
  await kv<Date>(storage, { codec: dates }).set("k", new Date(0));
  const value = { $codec: "dates", value: "1970-01-01T00:00:00.000Z" };
  expect(JSON.parse(items.get("k")!)).toMatchObject({ kv: 1, value });
});

it("reads records that 0.1.0 wrote with the codec, which had no mark", async () => {
  const client = new Map();
  await kv(client).set("k", rich.encode(new Date(5)));
  expect(await kv(client, { codec: rich }).get("k")).toEqual(new Date(5));
  expect(await kv(client).get("k")).toEqual({ $rich: [["Date", "1970-01-01T00:00:00.005Z"]] });
});

it("passes marks through a server unchanged", async () => {
  const own = kv(new Map());
  const token = "0123456789abcdef";
  const handler = createHandler(own, { tokens: [{ token, space: "a" }] });
  const client = http("http://kv.test", {
    token,
    fetch: (url, init) => handler(new Request(url, init)),
  });
  await kv(client, { codec: rich }).set("k", new Date(5));
  await kv(client).setMany(Object.entries(LOOKALIKES));
  expect(await kv(client, { codec: rich }).get("k")).toEqual(new Date(5));
  expect(await kv(client).getMany(Object.keys(LOOKALIKES))).toEqual(Object.values(LOOKALIKES));
  await expect(kv(client).get("k")).rejects.toMatchObject({ code: "KV_CORRUPT" });
  // The program of the server reads what its clients wrote.
  const space = spaceOf(own, "a");
  expect(await kv(space, { codec: rich }).get("k")).toEqual(new Date(5));
  expect(await space.getMany(Object.keys(LOOKALIKES))).toEqual(Object.values(LOOKALIKES));
  await expect(space.get("k")).rejects.toMatchObject({ code: "KV_CORRUPT" });
});
