import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { Level } from "level";
import localforage from "localforage";
import { MemoryLevel } from "memory-level";
import { afterEach, describe, expect, it, vi } from "vitest";
import kv, { type Client, type CustomClient, type Store } from "../src/index.ts";
import { place } from "./support/disk.ts";
import { eventually } from "./support/eventually.ts";
import { DRIVERS } from "./support/sqlite-drivers.ts";
import { runs } from "./support/runs.ts";

type Plain = CustomClient & { data: Map<string, unknown> };

/** A client with the three methods that are needed, and one more to delete. */
function plain(data = new Map<string, unknown>()): Plain {
  return {
    data,
    get: (key) => data.get(key),
    set: (key, value) => void data.set(key, value),
    del: (key) => void data.delete(key),
    *iterate(prefix) {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

/** A client that drops expired values itself, and answers late. */
class Expiring {
  EXPIRES = true;
  #data = new Map<string, { text: string; until: number }>();
  async get(key: string): Promise<unknown> {
    const item = this.#data.get(key);
    return item === undefined || item.until <= Date.now() ? undefined : JSON.parse(item.text);
  }
  async set(key: string, value: unknown, { expires }: { expires: number | null }): Promise<void> {
    if (value === null) this.#data.delete(key);
    else
      this.#data.set(key, {
        text: JSON.stringify(value),
        until: expires === null ? Infinity : Date.now() + Math.ceil(expires * 1000),
      });
  }
  async *iterate(prefix: string): AsyncGenerator<[string, unknown]> {
    for (const key of [...this.#data.keys()]) {
      const value = key.startsWith(prefix) ? await this.get(key) : undefined;
      if (value !== undefined) yield [key, value];
    }
  }
}

const CLIENTS: { readonly [name: string]: () => Client } = {
  "a Map": () => new Map(),
  "a file": () => pathToFileURL(join(place(), "data.json")),
  "a folder": () => pathToFileURL(`${join(place(), "data")}/`),
  "a Level database": () => new Level(join(place(), "db")),
  ...Object.fromEntries(
    Object.entries(DRIVERS).map(([name, open]) => [name, () => open(":memory:")]),
  ),
  "a client of one's own": () => plain(),
  "a client that expires by itself": () => new Expiring(),
};

afterEach(() => void vi.restoreAllMocks());

const sorted = (texts: Iterable<string>): string[] => [...texts].sort();
const isPromise = (found: unknown): boolean =>
  Object.prototype.toString.call(found) === "[object Promise]";
const ignore = (promise: unknown): Promise<unknown> =>
  (promise as Promise<unknown>).catch(() => {});

describe.each(Object.entries(CLIENTS))("a store over %s", (_, open) => {
  it("is there at once; only prefix() and expires() do not return promises", async () => {
    const store = kv(open());
    const wrong = Symbol("wrong") as never;
    const calls: (() => unknown)[] = [
      () => store.get("a"),
      () => store.set("a", 1),
      () => store.add(1),
      () => store.has("a"),
      () => store.del("a"),
      () => store.getMany(["a"]),
      () => store.setMany([["a", 1]]),
      () => store.delMany(["a"]),
      () => store.entry("a"),
      () => store.touch("a", 1),
      () => store.keys(),
      () => store.values(),
      () => store.entries(),
      () => store.all(),
      () => store.list(),
      () => store.iterate().next(),
      () => store.commit([], []),
      () => store.clear(),
      () => store.prune(),
      () => store.get(wrong),
      () => store.set("a", wrong),
      () => store.add(wrong),
      () => store.has(wrong),
      () => store.del(wrong),
      () => store.getMany([wrong]),
      () => store.setMany([[wrong, 1]]),
      () => store.delMany([wrong]),
      () => store.entry(wrong),
      () => store.touch("a", wrong),
      () => store.all(wrong),
      () => store.list({ cursor: wrong }),
      () => store.commit([{ key: wrong, version: null }], []),
      () => store.close(),
    ];
    for (const call of calls) {
      const found = call();
      expect(isPromise(found), String(call)).toBe(true);
      await ignore(found);
    }
  });

  it("can be awaited itself, and its substores too", async () => {
    const store = kv(open());
    const part = await store.prefix("hello:").prefix("world:");
    expect(Object.hasOwn(part, "then")).toBe(false);
    await part.set("a", 1);
    expect(await (await store).get("hello:world:a")).toBe(1);
    await store.close();
  });

  it("answers null for a key that was never set, was deleted or has expired", async () => {
    const store = kv(open());
    await store.setMany([
      ["deleted", 1],
      ["nothing", 1],
      ["undefined", 1],
      ["zero", 1],
      ["below", 1],
    ]);
    await store.set("expired", 1, { expires: 0.001 });
    expect(await store.del("deleted")).toBe("deleted");
    expect(await store.set("nothing", null)).toBe("nothing");
    expect(await store.set("undefined", undefined)).toBe("undefined");
    expect(await store.set("zero", 1, { expires: 0 })).toBe("zero");
    expect(await store.set("below", 1, { expires: -1 })).toBe("below");
    await eventually(() => store.get("expired")).toBe(null);
    for (const key of ["never", "deleted", "nothing", "undefined", "zero", "below"])
      expect(await store.get(key), key).toBe(null);
    expect(await store.entries()).toEqual([]);
    await store.close();
  });

  it("gives add() the options of set()", async () => {
    const store = kv(open());
    const part = store.prefix("session:");
    const short = await part.add(
      { user: "ann" },
      { expires: 1, metadata: { by: "test" }, prefix: "eu:" },
    );
    const long = await part.add("b", { expires: "1h" });
    expect(await store.get(`session:eu:${short}`)).toEqual({ user: "ann" });
    const entry = (await part.entry(`eu:${short}`))!;
    // Clients that keep bare values tell of nothing else.
    if (entry.version !== null)
      expect([entry.metadata, entry.expires! > Date.now()]).toEqual([{ by: "test" }, true]);
    const now = Date.now() + 1000;
    vi.spyOn(Date, "now").mockReturnValue(now);
    expect(await part.get(`eu:${short}`)).toBe(null);
    expect(await part.keys()).toEqual([long]);
    expect(await store.keys()).toEqual([`session:${long}`]);
    await store.close();
  });

  it("finds one key by each of its three names", async () => {
    const store = kv(open());
    const ways = (): [Store, string][] => [
      [store.prefix("a:").prefix("b:"), "key"],
      [store.prefix("a:b:"), "key"],
      [store.prefix("a:"), "b:key"],
      [store, "a:b:key"],
    ];
    for (const [writer, name] of ways()) {
      expect(await writer.set(name, name)).toBe(name);
      for (const [reader, key] of ways())
        expect([await reader.get(key), await reader.has(key)]).toEqual([name, true]);
      for (const [remover, key] of ways()) {
        expect(await remover.del(key)).toBe(key);
        expect([await store.has("a:b:key"), await remover.del(key)]).toEqual([false, key]);
        await writer.set(name, name);
      }
    }
    await store.close();
  });

  it("lists the keys of a longer prefix under a shorter one; a prefix is also a key", async () => {
    const store = kv(open());
    await store.setMany([
      ["a", 1],
      ["a:", 2],
      ["a:1", 3],
      ["a:b:", 4],
      ["a:b:2", 5],
      ["a:bc", 6],
    ]);
    expect(sorted(await store.prefix("a:").keys())).toEqual(["1", "b:", "b:2", "bc"]);
    expect(await store.prefix("a:b:").all()).toEqual({ 2: 5 });
    expect(await store.prefix("a:b:").clear()).toBe(undefined);
    expect(sorted(await store.keys())).toEqual(["a", "a:", "a:1", "a:b:", "a:bc"]);
    await store.prefix("a:").clear();
    expect(sorted(await store.keys())).toEqual(["a", "a:"]);
    expect(await store.clear()).toBe(undefined);
    expect(await store.keys()).toEqual([]);
    expect(await store.close()).toBe(undefined);
  });

  it("tells the same by iteration, keys, values, entries and all, without the prefix", async () => {
    const store = kv(open());
    const object = { a: 1, b: { c: [false] }, d: "", e: 0 };
    await store.prefix("p:").setMany(Object.entries(object));
    await store.set("other", 1);
    const part = store.prefix("p:");
    const [one, other]: [[string, unknown][], [string, unknown][]] = [[], []];
    for await (const pair of part) one.push(pair);
    for await (const [key, value] of part.iterate()) other.push([key, value]);
    expect(Object.fromEntries(one)).toEqual(object);
    expect(Object.fromEntries(other)).toEqual(object);
    expect(Object.fromEntries(await part.entries())).toEqual(object);
    expect(await part.all()).toEqual(object);
    expect(sorted(await part.keys())).toEqual(Object.keys(object));
    expect(sorted((await part.values()).map((value) => JSON.stringify(value)))).toEqual(
      sorted(Object.values(object).map((value) => JSON.stringify(value))),
    );
    expect((await store.entries()).length).toBe(5);
    await store.close();
  });

  it("takes any prefix literally: finds, lists and clears the keys below it", async () => {
    const store = kv(open());
    const text = (minLength: number): fc.Arbitrary<string> =>
      fc
        .array(fc.constantFrom("%", "_", "*", "?", "[", "]", "\\", "^", "a", "A", ":"), {
          minLength,
          maxLength: 3,
        })
        .map((chars) => chars.join(""));
    const literal = fc.asyncProperty(
      fc.uniqueArray(text(1), { minLength: 1, maxLength: 12 }),
      text(0),
      async (keys, prefix) => {
        await store.clear();
        await store.setMany(keys.map((key) => [key, key]));
        const inside = keys.filter((key) => key.startsWith(prefix) && key !== prefix);
        const within = prefix === "" ? keys : inside;
        expect(sorted(await store.prefix(prefix).keys())).toEqual(
          sorted(within.map((key) => key.slice(prefix.length))),
        );
        expect(sorted((await store.prefix(prefix).values()) as string[])).toEqual(sorted(within));
        expect(
          (await store.prefix(prefix).list()).entries.map(({ value }) => value).sort(),
        ).toEqual(sorted(within));
        await store.prefix(prefix).clear();
        expect(sorted(await store.keys())).toEqual(
          sorted(keys.filter((key) => !within.includes(key))),
        );
      },
    );
    await fc.assert(literal, { numRuns: runs(60) });
    await store.close();
  });

  it("may come as a promise", async () => {
    const store = kv(Promise.resolve(open()) as never, { prefix: "p:" });
    await store.set("a", { b: 1 });
    expect(await store.all()).toEqual({ a: { b: 1 } });
    expect(store.type).not.toBe("PENDING");
    await store.close();
  });

  it("leaves the client as it was: no member, and no more than one listener", async () => {
    const client = open() as { listenerCount?(event: string): number; eventNames?(): string[] };
    const listeners = (): number =>
      (client.eventNames?.() ?? []).reduce((sum, event) => sum + client.listenerCount!(event), 0);
    const before = {
      members: Reflect.ownKeys(client).filter((key) => typeof key === "string"),
      listeners: listeners(),
    };
    for (let i = 0; i < 20; i++)
      await kv(client as never)
        .prefix(`p${i}`)
        .set("a", i, { expires: "1h" });
    await Promise.all([
      kv(client as never).keys(),
      kv(client as never).clear(),
      kv(client as never).prune(),
    ]);
    expect(Reflect.ownKeys(client).filter((key) => typeof key === "string")).toEqual(
      before.members,
    );
    expect(listeners()).toBeLessThanOrEqual(before.listeners + 1);
    await kv(client as never).close();
  });
});

describe("clients", () => {
  it("are detected by their shape, at once, without a call", () => {
    const folder = place();
    const given: [Client | undefined, string][] = [
      [undefined, "MEMORY"],
      [new Map(), "MEMORY"],
      ["cookie", "COOKIE"],
      [localforage, "FORAGE"],
      [localforage.createInstance({ name: "own" }), "FORAGE"],
      ["indexeddb://database/store", "INDEXEDDB"],
      [new URL("indexeddb://database"), "INDEXEDDB"],
      [`file://${folder}/a.json`, "FILE"],
      [new URL(`file://${folder}/a.txt`), "FILE"],
      [`file://${folder}/a/`, "FOLDER"],
      [new URL(`file://${folder}/a.b/`), "FOLDER"],
      [new MemoryLevel(), "LEVEL"],
      [new MemoryLevel().sublevel("x"), "LEVEL"],
      [DRIVERS["node:sqlite"]!(":memory:"), "SQLITE"],
      [DRIVERS["better-sqlite3"]!(":memory:"), "SQLITE"],
      [plain(), "CUSTOM"],
      [new Expiring(), "CUSTOM"],
      [Expiring, "CUSTOM"],
    ];
    for (const [client, type] of given) expect(kv(client).type).toBe(type);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("need a get and a set", () => {
    for (const client of [
      { get() {} },
      { set() {} },
      { get: 1, set() {} },
      class {
        get(): void {}
      },
    ]) {
      expect(() => kv(client as never)).toThrow(
        expect.objectContaining({ code: "KV_UNKNOWN_CLIENT" }),
      );
    }
  });

  it("may be frozen, a function or have private members, and answer with thenables", async () => {
    // Some clients answer with thenables.
    const late = (found: unknown): PromiseLike<unknown> => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: (resolve) => Promise.resolve(found).then(resolve) as never,
    });
    const { get, set, del, iterate } = plain();
    const own: Client[] = [
      Object.freeze(plain()),
      Object.assign(() => {}, plain()),
      class extends Expiring {},
      {
        get: (key: string) => late(get(key)),
        set: (key: string, value: unknown) => late(set(key, value, { expires: null })),
        del: (key: string) => late(del!(key)),
        iterate,
      },
    ];
    for (const client of own) {
      const store = kv(client);
      await store.set("a", { b: [1] }, { expires: "1h" });
      await store.set("b", 1);
      expect([await store.get("a"), await store.del("b"), await store.keys()]).toEqual([
        { b: [1] },
        "b",
        ["a"],
      ]);
    }
  });

  it("of one's own may list in any form, or by entries alone", async () => {
    const client = plain();
    const all = (prefix: string): [string, unknown][] =>
      [...client.data].filter(([key]) => key.startsWith(prefix));
    const forms: Partial<CustomClient>[] = [
      { iterate: all },
      { iterate: (prefix) => Promise.resolve(all(prefix)) as never },
      {
        *iterate(prefix) {
          yield* all(prefix);
        },
      },
      {
        async *iterate(prefix) {
          yield* all(prefix);
        },
      },
      { iterate: undefined as never, entries: async (prefix) => all(prefix) },
    ];
    for (const form of forms) {
      client.data.clear();
      const store = kv({ ...client, ...form });
      await store.setMany([
        ["a:1", 1],
        ["a:2", 2],
        ["b:1", 3],
      ]);
      expect(await store.prefix("a:").all()).toEqual({ 1: 1, 2: 2 });
      expect(sorted(await store.prefix("a:").keys())).toEqual(["1", "2"]);
      await store.prefix("a:").clear();
      expect(await store.keys()).toEqual(["b:1"]);
    }
  });

  it("without EXPIRES are never asked for has, keys or values", async () => {
    const asked = vi.fn();
    const store = kv({ ...plain(), has: asked, keys: asked, values: asked });
    await store.set("gone", 1, { expires: 0.001 });
    await store.set("stays", 2);
    await eventually(() => store.has("gone")).toBe(false);
    expect([await store.has("stays"), await store.keys(), await store.values()]).toEqual([
      true,
      ["stays"],
      [2],
    ]);
    expect(asked).not.toHaveBeenCalled();
  });

  it("are never listed for an operation on one key", async () => {
    const listed = vi.fn(() => []);
    const store = kv({
      ...plain(),
      iterate: listed,
      entries: listed,
      keys: listed,
      values: listed,
    });
    for (let i = 0; i < 20; i++) {
      await store.set(`k${i}`, i, { expires: "1h" });
      await store.touch(`k${i}`, "2h");
      expect([
        await store.get(`k${i}`),
        await store.has(`k${i}`),
        (await store.entry(`k${i}`))?.value,
      ]).toEqual([i, true, i]);
      await store.commit([], [{ key: `k${i}`, value: 1 }]);
      await store.del(await store.add(i));
    }
    expect(listed).not.toHaveBeenCalled();
  });
});

describe("the entry", () => {
  it("loads no platform module, and only the clients memory and Web Storage at first", () => {
    const source = join(import.meta.dirname, "../src");
    const found = new Set<string>();
    const visit = (file: string): void => {
      if (found.has(file)) return;
      found.add(file);
      // What `import type` and `import()` name is not loaded.
      for (const [, from] of readFileSync(file, "utf8").matchAll(
        /^(?:import|export) (?!type\b)[^;]*?from "([^"]+)";/gm,
      )) {
        expect(from).toMatch(/^\.{1,2}\//);
        visit(join(dirname(file), from!));
      }
    };
    visit(join(source, "index.ts"));
    const names = [...found].map((file) => file.slice(source.length + 1));
    expect(names.filter((name) => /^platform\/(node|indexeddb)/.test(name))).toEqual([]);
    const clients = names.filter((name) => /^clients\/.*\//.test(name));
    expect(clients.sort()).toEqual([
      "clients/shared/deadlines.ts",
      "clients/shared/map-items.ts",
      "clients/storage/index.ts",
      "clients/storage/items.ts",
    ]);
  });
});
