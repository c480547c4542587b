import { MemoryLevel } from "memory-level";
import { describe, expect, it } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Client, type CustomClient, type Json, type Store } from "../../src/index.ts";
import { versioned } from "../../src/versioned/index.ts";
import { certify } from "../suites/certify.ts";
import { isFull } from "../support/runs.ts";
import { DRIVERS } from "../support/sqlite-drivers.ts";

/** A client that drops expired values itself, with most of the optional methods. */
function bare(): CustomClient {
  const data = new Map<string, { value: Json; until: number }>();
  const fresh = (key: string): Json | null =>
    data.has(key) && data.get(key)!.until > Date.now() ? data.get(key)!.value : null;
  const pairs = (prefix: string): [string, Json][] =>
    [...data.keys()].flatMap((key) =>
      key.startsWith(prefix) && fresh(key) !== null ? [[key, structuredClone(fresh(key)!)]] : [],
    );
  let added = 0;
  const client: CustomClient = {
    EXPIRES: true,
    get: (key) => structuredClone(fresh(key)),
    set(key, value, { expires }) {
      if (value === null) data.delete(key);
      else
        data.set(key, {
          value: value as Json,
          until: expires === null ? Infinity : Date.now() + Math.ceil(expires * 1000),
        });
    },
    add(prefix, value, options) {
      const key = `${++added}`.padStart(24, "0");
      client.set(prefix + key, value, options);
      return key;
    },
    has: (key) => fresh(key) !== null,
    del: (key) => void data.delete(key),
    entries: pairs,
    iterate: pairs,
    keys: (prefix) => pairs(prefix).map(([key]) => key),
    clear(prefix) {
      for (const [key] of pairs(prefix)) if (key !== prefix) data.delete(key);
    },
  };
  return client;
}

const CLIENTS: { readonly [name: string]: () => Client } = {
  "a Map": () => new Map(),
  "a SQLite database": () => DRIVERS["node:sqlite"]!(":memory:"),
  Level: () => new MemoryLevel(),
  "a client that keeps bare values": bare,
};

for (const [name, open] of Object.entries(CLIENTS)) {
  const isCertified = isFull || name === "a Map" || name === "a client that keeps bare values";
  if (isCertified)
    certify(`a promise of a store over ${name}`, {
      open: () => kv(Promise.resolve(kv(open(), { prefix: "of:" }))),
    });

  describe(`a promise of a store over ${name}`, () => {
    it("keeps the prefix and the expiry, before and after it settles", async () => {
      const client = open();
      const base = kv(client, { prefix: "a:", expires: "1h" });
      const store = kv(new Promise<Store>((resolve) => setImmediate(resolve, base)), {
        prefix: "b:",
      });
      for (const when of ["early", "late"]) {
        await Promise.all([
          store.set(`${when}1`, 1),
          store.setMany([
            [`${when}2`, 2],
            [`${when}3`, 3, { expires: null }],
          ]),
          store.set(`${when}4`, 4, { expires: "2h" }),
        ]);
      }
      const all = kv(client);
      expect((await all.keys()).sort()).toEqual(
        ["early", "late"].flatMap((when) => [1, 2, 3, 4].map((i) => `a:b:${when}${i}`)),
      );
      const hours = async (key: string): Promise<number | null> => {
        const entry = await all.entry(`a:b:${key}`);
        return entry!.expires === null
          ? null
          : Math.round((entry!.expires - Date.now()) / 3_600_000);
      };
      if (all.supports.expires === "native") return;
      for (const when of ["early", "late"]) {
        expect(await Promise.all([1, 2, 3, 4].map((i) => hours(`${when}${i}`)))).toEqual([
          1,
          1,
          null,
          2,
        ]);
      }
      const { ok } = await store.commit(
        [{ key: "new", version: null }],
        [{ key: "new", value: 1 }],
      );
      expect([ok, await hours("new")]).toEqual([true, 1]);
    });

    it("keeps the call order with other stores over the client", async () => {
      const base = kv(open(), { prefix: "a:" });
      const store = kv(Promise.resolve(base));
      await store.get("k");
      const calls = [
        base.set("k", 1),
        store.setMany([["k", 2]]),
        base.set("k", 3),
        store.set("k", 4),
        base.get("k"),
        store.keys(),
      ];
      expect((await Promise.all(calls)).slice(4)).toEqual([4, ["k"]]);
      const cleared = [store.set("x", 1), base.clear(), store.set("y", 1), base.keys()];
      expect((await Promise.all(cleared))[3]).toEqual(["y"]);
    });

    it("leaves everything else alone when it is cleared", async () => {
      const client = open();
      const all = kv(client);
      await all.setMany([
        ["a", 1],
        ["a:", 2],
        ["a:x", 3],
        ["b:x", 4],
      ]);
      const store = kv(Promise.resolve(kv(client, { prefix: "a:" })));
      expect(await store.keys()).toEqual(["x"]);
      await store.clear();
      expect((await all.keys()).sort()).toEqual(["a", "a:", "b:x"]);
    });
  });
}

it("shows the type and the capabilities of the store once it has settled", async () => {
  const store = kv(Promise.resolve(kv(new Map(), { prefix: "a:" })));
  expect(store.type).toBe("PENDING");
  await store.get("a");
  expect([store.type, store.supports.atomic, store.supports.persistent]).toEqual([
    "MEMORY",
    "process",
    false,
  ]);
});

it("takes an explicit expiry, null included, for its own", async () => {
  const base = kv(new Map(), { expires: "1h" });
  const forever = kv(Promise.resolve(base), { expires: null });
  await forever.set("a", 1);
  expect((await base.entry("a"))!.expires).toBe(null);
  const never = kv(Promise.resolve(kv(base, { expires: 0 })));
  await never.set("a", 1);
  await never.add(1);
  expect(await base.keys()).toEqual([]);
});

it("needs the codec of the store to be passed again", async () => {
  const base = kv(new Map(), { codec: rich });
  const error = {
    code: "KV_INVALID_CLIENT",
    message: "the promised store has a codec: pass it here too, kv(promise, { codec })",
  };
  await expect(kv(Promise.resolve(base)).get("a")).rejects.toMatchObject(error);
  const store = kv(Promise.resolve(base), { codec: rich });
  await store.set("a", new Date(5));
  expect(await base.get("a")).toEqual(new Date(5));
});

it("closes the store, also before it was used", async () => {
  for (const use of [true, false]) {
    const base = kv(new Map());
    const store = kv(Promise.resolve(base));
    if (use) await store.set("a", 1);
    await store.close();
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
    await expect(base.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
  }
});

it("rejects like the store when that is closed", async () => {
  const base = kv(new Map());
  const store = kv(Promise.resolve(base));
  await store.get("a");
  await base.close();
  await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
});

it("may settle to a store over a promise, and serve an API", async () => {
  const base = kv(new Map(), { prefix: "db:" });
  const store = kv(Promise.resolve(kv(Promise.resolve(base))));
  const db = versioned(store);
  await db.set(["users", "1"], { name: "Ann" });
  expect((await versioned(base).get(["users", "1"])).value).toEqual({ name: "Ann" });
});
