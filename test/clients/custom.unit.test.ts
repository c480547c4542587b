import { expect, it, vi } from "vitest";
import kv, { type Client, type CustomClient } from "../../src/index.ts";
import { certify } from "../suites/certify.ts";
import { eventually } from "../support/eventually.ts";

/** A client without expiry of its own, over data that outlives it. */
function layered(data = new Map<string, unknown>()): CustomClient {
  return {
    get: (key) => data.get(key),
    set: (key, value) => void data.set(key, value),
    *iterate(prefix) {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

/** The same over JSON texts, asynchronous, with every optional method. */
class TextClient {
  data = new Map<string, string>();
  async get(key: string): Promise<unknown> {
    const text = this.data.get(key);
    return text === undefined ? null : JSON.parse(text);
  }
  async set(key: string, value: unknown): Promise<void> {
    this.data.set(key, JSON.stringify(value));
  }
  async *iterate(prefix: string): AsyncGenerator<[string, unknown]> {
    for (const [key, text] of this.data) if (key.startsWith(prefix)) yield [key, JSON.parse(text)];
  }
  async del(key: string): Promise<void> {
    this.data.delete(key);
  }
}

/** A client that drops expired values itself. */
class NativeClient {
  EXPIRES = true;
  data = new Map<string, { text: string; until: number }>();
  #fresh(key: string): string | null {
    const item = this.data.get(key);
    return item === undefined || item.until <= Date.now() ? null : item.text;
  }
  get(key: string): unknown {
    const text = this.#fresh(key);
    return text === null ? null : JSON.parse(text);
  }
  set(key: string, value: unknown, { expires }: { expires: number | null }): void {
    if (value === null) this.data.delete(key);
    else
      this.data.set(key, {
        text: JSON.stringify(value),
        until: expires === null ? Infinity : Date.now() + Math.ceil(expires * 1000),
      });
  }
  *iterate(prefix: string): Generator<[string, unknown]> {
    for (const key of [...this.data.keys()])
      if (key.startsWith(prefix) && this.#fresh(key) !== null) yield [key, this.get(key)];
  }
}

{
  let data = new Map<string, unknown>();
  certify("CUSTOM", {
    open: () => kv(layered((data = new Map()))),
    reopen: () => kv(layered(data)),
    foreign: {
      put: (_store, key) => void data.set(key, { a: 1 }),
      has: (_store, key) => (data.get(key) ?? null) !== null,
    },
  });
  certify("CUSTOM over texts", { open: () => kv(new TextClient()) });
  certify("CUSTOM that expires by itself", { open: () => kv(new NativeClient()) });
}

it("runs the readme's plain object client", async () => {
  const dataSource: Record<string, unknown> = {};
  class MyClient {
    get(key: string): unknown {
      return dataSource[key];
    }
    set(key: string, value: unknown): void {
      dataSource[key] = value;
    }
    *iterate(prefix: string): Generator<[string, unknown]> {
      for (const [key, value] of Object.entries(dataSource))
        if (key.startsWith(prefix)) yield [key, value];
    }
  }
  const store = kv(MyClient);
  await store.set("a", { b: 1 }, { expires: "1h" });
  await store.set("gone", 1, { expires: 0.001 });
  await eventually(() => store.get("gone")).toBe(null);
  expect(await store.entries()).toEqual([["a", { b: 1 }]]);
  expect(await store.del("a")).toBe("a");
  expect(await store.keys()).toEqual([]);
  expect(dataSource).toEqual({ a: null, gone: null });
});

it("runs the readme's client with its own ids, and returns the id of its add()", async () => {
  let ids = 0;
  class MyClient {
    data = new Map<string, unknown>();
    get(key: string): unknown {
      return this.data.get(key);
    }
    async set(
      key: string,
      value: unknown,
      { expires }: { expires: number | null },
    ): Promise<string> {
      expect(expires).toBe(null);
      this.data.set(key, value);
      return key;
    }
    async add(
      prefix: string,
      data: unknown,
      { expires }: { expires: number | null },
    ): Promise<string> {
      return this.set(`${prefix}custom${++ids}`, data, { expires });
    }
  }
  const store = kv(MyClient);
  expect(await store.add({ hello: "world" })).toBe("custom1");
  expect(await store.prefix("hello:").add({ hello: "world" })).toBe("hello:custom2");
  expect(await store.get("hello:custom2")).toEqual({ hello: "world" });
  await expect(store.keys()).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED", client: "CUSTOM" });
  expect(store.supports.iterate).toBe(false);
});

it("passes full keys, prefixes as texts, and always an object with the seconds", async () => {
  const calls: unknown[][] = [];
  const log =
    (name: string) =>
    (...args: unknown[]) =>
      void calls.push([name, ...args]);
  const native = {
    EXPIRES: true,
    get: log("get"),
    set: log("set"),
    iterate: (prefix: string) => (log("iterate")(prefix), []),
    has: log("has"),
    del: log("del"),
    clear: (prefix: string) => log("clear")(prefix),
    close: log("close"),
  };
  const now = vi.spyOn(Date, "now").mockReturnValue(1_000_000);
  const store = kv(native).prefix("hello:").prefix("world:");
  await store.get("a");
  await store.set("a", [1], { expires: "1h" });
  await store.set("b", 1);
  await store.has("a");
  await store.del("a");
  await store.set("c", null);
  for await (const pair of store.iterate()) expect(pair).toBe("nothing");
  for await (const pair of kv(native)) expect(pair).toBe("nothing");
  await store.clear();
  await store.close();
  now.mockRestore();
  expect(calls).toEqual([
    ["get", "hello:world:a"],
    ["set", "hello:world:a", [1], { expires: 3600 }],
    ["set", "hello:world:b", 1, { expires: null }],
    ["has", "hello:world:a"],
    ["del", "hello:world:a"],
    ["del", "hello:world:c"],
    ["iterate", "hello:world:"],
    ["iterate", ""],
    ["clear", "hello:world:"],
    ["close"],
  ]);
});

it("passes the seconds to clients without EXPIRES too", async () => {
  const set = vi.fn();
  const now = vi.spyOn(Date, "now").mockReturnValue(5000);
  await kv({ get: () => null, set }).set("a", 1, { expires: 1.5 });
  now.mockRestore();
  expect(set).toHaveBeenCalledExactlyOnceWith(
    "a",
    { kv: 1, version: expect.stringMatching(/^[0-9a-f]{20}$/), expires: 6500, value: 1 },
    { expires: 1.5 },
  );
});

it("uses the group methods that a client with EXPIRES has, and strips the prefix", async () => {
  const store = kv({
    EXPIRES: true,
    get: () => null,
    set: () => {},
    keys: async (prefix: string) => [`${prefix}k1`, `${prefix}k2`],
    values: (prefix: string) => [prefix, 2],
    entries: async (prefix: string) => [[`${prefix}e`, { a: 1 }]],
  }).prefix("p:");
  expect(await store.keys()).toEqual(["k1", "k2"]);
  expect(await store.values()).toEqual(["p:", 2]);
  expect(await store.entries()).toEqual([["e", { a: 1 }]]);
  expect(await store.all()).toEqual({ e: { a: 1 } });
});

it("deletes by set(key, null, { expires: 0 }) without a del; null means absent", async () => {
  const data = new Map<string, unknown>();
  const set = vi.fn((key: string, value: unknown) => void data.set(key, value));
  const store = kv({ ...layered(data), set });
  await store.set("a", 1);
  await store.del("a");
  expect(set).toHaveBeenLastCalledWith("a", null, { expires: 0 });
  expect(await store.has("a")).toBe(false);
  expect(await store.keys()).toEqual([]);
});

it("is not taken for another kind of client by its other members", async () => {
  const own = {
    ...layered(),
    query() {},
    prepare() {},
    exec() {},
    close() {},
    getItem() {},
    setItem() {},
    put() {},
    list() {},
    delete() {},
    getWithMetadata() {},
  };
  const store = kv(own);
  expect(store.type).toBe("CUSTOM");
  await store.set("a", 1);
  expect(await store.get("a")).toBe(1);
});

it("shares one lock between two stores over one client", async () => {
  const client = new TextClient();
  const stores = [kv(client), kv(client)];
  const increment = async (store: (typeof stores)[0]): Promise<void> => {
    for (;;) {
      const entry = await store.entry<number>("n");
      if (
        (
          await store.commit(
            [{ key: "n", version: entry?.version ?? null }],
            [{ key: "n", value: (entry?.value ?? 0) + 1 }],
          )
        ).ok
      )
        return;
    }
  };
  await Promise.all(Array.from({ length: 60 }, (_, i) => increment(stores[i % 2]!)));
  expect(await stores[0]!.get("n")).toBe(60);
});

it("keeps the old values of a commit without copying them for each write", async () => {
  const shift = vi.spyOn(Array.prototype, "unshift");
  const { ok } = await kv(layered()).commit(
    [],
    Array.from({ length: 2000 }, (_, i) => ({ key: `k${i}`, value: i })),
  );
  const shifts = shift.mock.calls.length;
  shift.mockRestore();
  expect([ok, shifts < 100]).toEqual([true, true]);
});

it.each([
  "get",
  "set",
  "del",
  "iterate",
  "has",
  "keys",
  "values",
  "entries",
  "add",
  "clear",
  "close",
] as const)("turns whatever %s throws or rejects with into KV_CONNECTION", async (broken) => {
  for (const fail of [
    () => {
      throw new Error("secret value?");
    },
    () => Promise.reject(new Error("boom")),
    () => {
      throw "text";
    },
  ]) {
    const working: CustomClient = {
      EXPIRES: true,
      get: () => 1,
      set() {},
      *iterate() {},
      has: () => true,
      del() {},
      keys: () => [],
      values: () => [],
      entries: () => [],
      add: () => "x",
      clear(_prefix) {},
      close() {},
    };
    const store = kv({ ...working, [broken]: (_key: string) => fail() });
    const calls = {
      get: () => store.get("k"),
      set: () => store.set("k", 1),
      del: () => store.del("k"),
      iterate: () => store.list(),
      has: () => store.has("k"),
      keys: () => store.keys(),
      values: () => store.values(),
      entries: () => store.entries(),
      add: () => store.add(1),
      clear: () => store.clear(),
      close: () => store.close(),
    };
    const error = await calls[broken]().then(
      () => null,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ name: "KvError", code: "KV_CONNECTION", client: "CUSTOM" });
    expect((error as Error).cause).toBeDefined();
    if (broken === "iterate")
      await expect(
        (async () => {
          for await (const pair of store) expect(pair).toBe(0);
        })(),
      ).rejects.toMatchObject({ code: "KV_CONNECTION" });
  }
});

it("awaits connect() once for all stores over the client, before the first operation", async () => {
  const calls: string[] = [];
  const client = {
    ...layered(),
    async connect() {
      calls.push("connect");
      await new Promise((resolve) => setImmediate(resolve));
      calls.push("connected");
    },
    get(key: string) {
      calls.push(`get ${key}`);
      return null;
    },
  };
  const store = kv(client);
  expect(calls).toEqual([]);
  await Promise.all([store.get("a"), store.prefix("p:").get("b"), kv(client).get("c")]);
  await store.get("d");
  expect(calls).toEqual(["connect", "connected", "get a", "get p:b", "get c", "get d"]);
});

it("rejects with KV_CONNECTION when connect() fails, and connects again later", async () => {
  const cause = new Error("not yet");
  let attempts = 0;
  const client = {
    ...layered(),
    TYPE: "MINE",
    connect: () => (++attempts === 1 ? Promise.reject(cause) : null),
  };
  const store = kv(client);
  await expect(store.get("a")).rejects.toMatchObject({
    code: "KV_CONNECTION",
    client: "MINE",
    cause,
  });
  expect(await store.get("a")).toBe(null);
  expect(attempts).toBe(2);
});

it("connects again for a store that was made after close()", async () => {
  let attempts = 0;
  const client = { ...layered(), connect: () => void attempts++, close() {} };
  const store = kv(client);
  await store.set("a", 1);
  await store.close();
  expect(await kv(client).get("a")).toBe(1);
  expect(attempts).toBe(2);
});

it("shows its TYPE as store.type and in errors", async () => {
  const client = {
    ...layered(),
    TYPE: "MINE",
    get: (): never => {
      throw new Error("broken");
    },
  };
  const { custom } = await import("../../src/clients/custom.ts");
  for (const store of [kv(client), kv(custom(client)), kv(Promise.resolve(client))]) {
    const message = expect.stringMatching(/^MINE: /) as string;
    await expect(store.get("a")).rejects.toMatchObject({
      code: "KV_CONNECTION",
      client: "MINE",
      message,
    });
    expect(store.type).toBe("MINE");
  }
  const texts = { TYPE: "TEXTS", get: () => "[object Object]", set() {} };
  await expect(kv(texts).set("a", 1)).rejects.toMatchObject({
    code: "KV_INVALID_CLIENT",
    client: "TEXTS",
  });
  for (const TYPE of ["", 5, null])
    expect(kv({ ...layered(), TYPE } as object as Client).type).toBe("CUSTOM");
});

it("takes HAS_EXPIRATION for EXPIRES", async () => {
  const given: unknown[] = [];
  const client: CustomClient = {
    HAS_EXPIRATION: true,
    get: () => "bare",
    set: (key, value, options) => void given.push([key, value, options]),
  };
  const store = kv(client);
  expect(store.supports.expires).toBe("native");
  await store.set("a", { b: 1 }, { expires: null });
  expect(given).toEqual([["a", { b: 1 }, { expires: null }]]);
  expect(await store.get("a")).toBe("bare");
  expect(kv({ ...client, HAS_EXPIRATION: false }).supports.expires).toBe("layered");
});
