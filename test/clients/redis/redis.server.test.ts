import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient, createClientPool, RESP_TYPES } from "redis";
import { createClient as createClient4 } from "redis4";
import { createClient as createClient5 } from "redis5";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { redis, type RedisClient } from "../../../src/clients/redis/index.ts";
import { isKvError } from "../../../src/errors.ts";
import kv, {
  type Client,
  type EntryPage,
  type Json,
  type KvOptions,
  type Store,
} from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";

import { eventually, inTime } from "../../support/eventually.ts";
import { CLIENTS } from "../../support/redis-clients.ts";
import { redisServer } from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";
import type { Adapter } from "../../../src/clients/adapter.ts";

const server = await redisServer();
const raw = new Redis(server.port, "127.0.0.1", { lazyConnect: true });
const FORBIDDEN = ["flushall", "flushdb", "keys"] as const;

/** How often each command was called since the statistics were reset. */
async function calls(): Promise<{ [command: string]: number }> {
  const found = [...(await raw.info("commandstats")).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(
    ([, name, count]) => [name!, Number(count)] as const,
  );
  return Object.fromEntries(found.filter(([name]) => !/^(info|config\|resetstat)$/.test(name)));
}
const forbidden: string[] = [];
async function note(): Promise<void> {
  const counts = await calls();
  forbidden.push(...FORBIDDEN.filter((name) => counts[name] !== undefined));
}
/** The commands that some work sends. */
async function sent(work: () => Promise<unknown>): Promise<{ [command: string]: number }> {
  await note();
  await raw.config("RESETSTAT");
  await work();
  return calls();
}

const stores: Store[] = [];
const open = (
  options: KvOptions = {},
  client: object = createClient({ url: server.url }),
): Store => {
  const store = kv(client as Client, { ...PATIENT, ...options });
  stores.push(store);
  return store;
};
const adapterOf = async (): Promise<Adapter> => redis(createClient({ url: server.url })).open();

beforeAll(async () => {
  await server.start();
  await raw.connect();
});
beforeEach(async () => {
  await note();
  // The only one who may.
  await raw.flushall();
  await raw.config("RESETSTAT");
});
afterEach(
  async () => void (await Promise.allSettled(stores.splice(0).map((store) => store.close()))),
);
afterAll(async () => {
  await note();
  raw.disconnect();
  await server.remove();
  expect(forbidden).toEqual([]);
});

describe.each(Object.entries(CLIENTS))("%s", (name, make) => {
  const listeners = (client: RedisClient): number =>
    (client as unknown as { listenerCount(event: string): number }).listenerCount("error");

  it("may be given before it is connected, while it connects, and as a promise", async () => {
    const fresh = open({}, make(server.url));
    expect(fresh.type).toBe("REDIS");
    expect(await Promise.all([fresh.set("a", 1), fresh.get("b"), fresh.set("b", 2)])).toEqual([
      "a",
      null,
      "b",
    ]);
    const connecting = make(server.url);
    const promise =
      name === "ioredis 5"
        ? Promise.resolve(connecting)
        : connecting.connect().then(() => connecting);
    expect(await open({}, connecting).get("a")).toBe(1);
    expect(await kv(promise).get("b")).toBe(2);
  });

  it("gets one listener, however many stores and operations there are", async () => {
    const client = make(server.url);
    const before = listeners(client);
    const all = Array.from({ length: 10 }, () => open({}, client));
    await Promise.all(all.flatMap((store) => Array.from({ length: 20 }, () => store.set("a", 1))));
    for (const store of all) await store.keys();
    expect(listeners(client)).toBe(before + 1);
  });

  it("reads the records of another one", async () => {
    await open().set("by 6", { a: [1, "é🎉\0"] }, { expires: "1h", metadata: { b: 2 } });
    const store = open({}, make(server.url));
    expect(await store.entry("by 6")).toMatchObject({
      value: { a: [1, "é🎉\0"] },
      metadata: { b: 2 },
    });
    await store.set("back", 1);
    expect((await open().keys()).sort()).toEqual(["back", "by 6"]);
  });

  it("is not used any more once its owner has closed it, unless for a new store", async () => {
    const client = make(server.url) as RedisClient & {
      quit?(): Promise<unknown>;
      close?(): Promise<unknown>;
    };
    const store = kv(client);
    await store.set("a", 1);
    await (client.close === undefined ? client.quit!() : client.close());
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await expect(store.set("a", 2)).rejects.toMatchObject({ code: "KV_CONNECTION" });
    expect(await open({}, client).get("a")).toBe(1);
  });

  it("closes with its store, and the store says so", async () => {
    const client = make(server.url);
    const store = kv(client);
    const pending = store.set("a", 1);
    await store.get("a");
    await Promise.all([store.close(), store.close()]);
    expect(await pending).toBe("a");
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
    await expect(
      (async () => (client as { get(key: string): Promise<unknown> }).get("a"))(),
    ).rejects.toBeInstanceOf(Error);
  });
});

describe("clients told to answer otherwise", () => {
  const plain = createClient({ url: server.url });
  const CASES: { readonly [name: string]: () => object } = {
    "node-redis 6 with RESP2": () => createClient({ url: server.url, RESP: 2 }),
    "node-redis 5 with RESP3": () => createClient5({ url: server.url, RESP: 3 }),
    "node-redis 6 that maps texts to buffers": () =>
      createClient({
        url: server.url,
        commandOptions: {
          typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.NUMBER]: String },
        },
      }),
    "a proxy that maps texts to buffers": () =>
      createClient({ url: server.url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }),
    "node-redis 4 in its legacy mode": () => createClient4({ url: server.url, legacyMode: true }),
    "ioredis with numbers as texts": () => new Redis(server.url, { stringNumbers: true }),
    "ioredis 6 with RESP2": () => new Redis6(server.url, { protocol: 2 }),
    "ioredis with pipelines of its own": () =>
      new Redis(server.url, { enableAutoPipelining: true }),
    "ioredis with friendly stacks": () => new Redis(server.url, { showFriendlyErrorStack: true }),
    "node-redis 6 with a prefix": () => createClient({ url: server.url, keyPrefix: "app*:" }),
    "a pool with a prefix": () => createClientPool({ url: server.url, keyPrefix: "app*:" }),
    "ioredis 5 with a prefix": () => new Redis(server.url, { keyPrefix: "app*:" }),
    "ioredis 6 with a prefix": () => new Redis6(server.url, { keyPrefix: "app*:" }),
  };

  it.each(Object.entries(CASES))("%s", async (name, make) => {
    await raw.set("apple:a", "somebody else's");
    const prefix = name.endsWith("with a prefix") ? "app*:" : "";
    const store = open({ prefix: "p:" }, make());
    await store.set("a", { b: ["é"] }, { expires: "1h" });
    await store.setMany([
      ["b", 1],
      ["c", 2],
    ]);
    expect([
      await store.get("a"),
      await store.getMany(["c", "b", "x"]),
      await store.has("a"),
      await store.has("x"),
    ]).toEqual([{ b: ["é"] }, [2, 1, null], true, false]);
    expect([
      await store.touch("a", null),
      await store.touch("x", "1h"),
      (await store.entry("a"))!.expires,
    ]).toEqual([true, false, null]);
    expect([(await store.keys()).sort(), (await store.entries()).length]).toEqual([
      ["a", "b", "c"],
      3,
    ]);
    expect(await store.commit([{ key: "a", version: null }], [])).toEqual({
      ok: false,
      failed: ["a"],
    });
    expect(
      await store.commit([{ key: "d", version: null }], [{ key: "d", value: 1 }]),
    ).toMatchObject({ ok: true });
    // Everything stands under the client's own prefix.
    expect((await raw.keys("*")).sort()).toEqual(
      ["apple:a", ...["a", "b", "c", "d"].map((key) => `${prefix}p:${key}`)].sort(),
    );
    await raw.config("RESETSTAT");
    await store.delMany(["d"]);
    await store.clear();
    expect([await store.keys(), await raw.get("apple:a")]).toEqual([[], "somebody else's"]);
  });

  it("refuses a value that is no client", async () => {
    for (const face of [
      createClient({ url: server.url }).legacy(),
      createClient5({ url: server.url }).legacy(),
    ]) {
      await expect(kv(redis(face as never)).get("a")).rejects.toMatchObject({
        code: "KV_INVALID_CLIENT",
        client: "REDIS",
      });
    }
    expect(() => redis({} as never)).toThrow(/no client for REDIS/);
    expect(plain.isOpen).toBe(false);
  });
});

describe("a record", () => {
  it("is one readable text whose head is always as long", async () => {
    const store = open();
    await store.set("a", { b: 1 });
    await store.set("b", [], { expires: new Date("9999-12-31T23:59:59.999Z"), metadata: 5 });
    const { version } = (await store.entry("a"))!;
    expect(await raw.get("a")).toBe(
      `{"kv":1,"version":"${version}","expires":null           ,"value":{"b":1}}`,
    );
    expect(await raw.get("b")).toBe(
      `{"kv":1,"version":"${(await store.entry("b"))!.version}",` +
        `"expires":253402300799999,"metadata":5,"value":[]}`,
    );
    expect(JSON.parse((await raw.get("a"))!)).toEqual({
      kv: 1,
      version,
      expires: null,
      value: { b: 1 },
    });
  });

  it("has the same deadline in Redis, to the millisecond", async () => {
    const store = open();
    const check = async (key: string): Promise<void> => {
      const { expires } = (await store.entry(key))!;
      expect([key, await raw.pexpiretime(key)]).toEqual([key, expires ?? -1]);
    };
    await inTime(123, async (ms) => {
      await store.set("set", 1, { expires: (ms + 0.4) / 1000 });
      await check("set");
    });
    await store.set("long", 1, { expires: new Date(253_402_300_799_999) });
    await store.setMany(
      [
        ["many 1", 1],
        ["many 2", 2],
      ],
      { expires: "90s" },
    );
    await store.commit(
      [],
      [
        { key: "commit", value: 1, expires: "1.5h" },
        { key: "forever", value: 1 },
      ],
    );
    await store.set("touched", 1);
    for (const expires of ["10m", new Date(253_402_300_799_999), null, "5s"] as const) {
      expect(await store.touch("touched", expires)).toBe(true);
      await check("touched");
    }
    for (const key of ["long", "many 1", "many 2", "commit", "forever"]) await check(key);
    const pttl = await raw.pttl("many 1");
    expect(pttl).toBeGreaterThan(80_000);
    expect(pttl).toBeLessThanOrEqual(90_000);
    await store.set("many 1", 1);
    expect(await raw.pttl("many 1")).toBe(-1);
    expect(await store.prune()).toBe(0);
  });

  it("lives for less than a second where it should", async () => {
    const store = open();
    await inTime(100, async (ms) => {
      await store.set("a", 1, { expires: `${ms}ms` });
      await store.set("b", 1, { expires: 60.5 });
      expect(await store.getMany(["a", "b"])).toEqual([1, 1]);
    });
    expect(await raw.pexpiretime("b")).toBe((await store.entry("b"))!.expires);
    await eventually(() => raw.exists("a")).toBe(0);
    expect(await store.keys()).toEqual(["b"]);
  });

  it("of 2 MB and of none comes back", async () => {
    const store = open();
    const large = "é".repeat(1_000_000);
    await store.setMany([
      ["large", large],
      ["", ""].map((_, i) => (i === 0 ? "empty" : "")) as [string, string],
    ]);
    expect(await store.getMany(["large", "empty"])).toEqual([large, ""]);
    expect((await store.entries()).length).toBe(2);
    expect((await store.keys()).sort()).toEqual(["empty", "large"]);
    expect(await store.touch("large", "1h")).toBe(true);
    expect(await store.get("large")).toBe(large);
  });

  it("that is damaged is told", async () => {
    const store = open();
    await store.set("a", 1);
    await raw.set("a", `${(await raw.get("a"))!.slice(0, -1)}`);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CORRUPT", key: "a" });
    await expect(store.getMany(["a"])).rejects.toMatchObject({ code: "KV_CORRUPT" });
    expect(await store.keys()).toEqual(["a"]);
    await store.set("a", 2);
    expect(await store.get("a")).toBe(2);
  });

  it("that another client of this library wrote, without padding, is one too", async () => {
    const store = open();
    const bare = (expires: number | null): string =>
      `{"kv":1,"version":"0123456789abcdef0123","expires":${expires},"metadata":{"m":1},` +
      `"value":{"a":","}}`;
    await raw.set("a", bare(null));
    await raw.set("b", bare(Date.now() - 1));
    await raw.set("c", bare(253_402_300_799_999));
    expect(await store.entry("a")).toEqual({
      key: "a",
      value: { a: "," },
      version: "0123456789abcdef0123",
      expires: null,
      metadata: { m: 1 },
    });
    expect([
      await store.touch("a", "1h"),
      await store.touch("b", "1h"),
      await store.touch("c", "1h"),
    ]).toEqual([true, false, true]);
    for (const key of ["a", "c"]) {
      const entry = (await store.entry(key))!;
      expect(entry).toMatchObject({
        value: { a: "," },
        metadata: { m: 1 },
        expires: await raw.pexpiretime(key),
      });
      expect(entry.version).not.toBe("0123456789abcdef0123");
    }
    expect((await store.keys()).sort()).toEqual(["a", "c"]);
  });
});

describe("the commands", () => {
  it("is one command for each operation", async () => {
    const store = open();
    await store.set("a", { b: 1 });
    await store.keys();
    await store.touch("a", "1h");
    await store.commit([], [{ key: "x", value: 1 }]);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const a = { ...(await store.entry("a"))! };
    expect(await sent(() => store.get("a"))).toEqual({ get: 1 });
    expect(await sent(() => store.has("a"))).toEqual({ getrange: 1 });
    expect(await sent(() => store.set("a", 1))).toEqual({ set: 1 });
    expect(await sent(() => store.set("a", 1, { expires: "1h" }))).toEqual({ set: 1 });
    expect(await sent(() => store.add(1))).toEqual({ set: 1 });
    expect(await sent(() => store.del("a"))).toEqual({ unlink: 1 });
    expect(await sent(() => store.getMany(keys))).toEqual({ mget: 1 });
    expect(await sent(() => store.getMany([]))).toEqual({});
    expect(await sent(() => store.setMany(keys.map((key) => [key, key])))).toEqual({ set: 100 });
    expect(await sent(() => store.setMany([]))).toEqual({});
    expect(await sent(() => store.delMany(keys))).toEqual({ unlink: 1 });
    expect(await sent(() => store.delMany([]))).toEqual({});
    expect(await sent(() => store.touch("x", "1h"))).toEqual({
      evalsha: 1,
      getrange: 2,
      setrange: 1,
      pexpireat: 1,
    });
    expect(await sent(() => store.touch("x", null))).toEqual({
      evalsha: 1,
      getrange: 2,
      setrange: 1,
      persist: 1,
    });
    expect(
      await sent(() => store.commit([{ key: "a", version: a.version }], [{ key: "b", value: 1 }])),
    ).toMatchObject({ evalsha: 1 });
    expect(await sent(() => store.commit([], []))).toEqual({});
  });

  it("is exactly 1,000 SETs for 1,000 sets at once", async () => {
    const store = open();
    await store.set("a", 1);
    expect(
      await sent(() => Promise.all(Array.from({ length: 1000 }, (_, i) => store.set(`k${i}`, i)))),
    ).toEqual({ set: 1000 });
    const byIoredis = open({}, new Redis(server.url));
    await byIoredis.get("a");
    expect(
      await sent(() =>
        Promise.all(Array.from({ length: 1000 }, (_, i) => byIoredis.set(`k${i}`, i))),
      ),
    ).toEqual({ set: 1000 });
  });

  it("is one MGET for each page of a listing, never a GET for each key", async () => {
    const store = open({ prefix: "p:" });
    await store.setMany(Array.from({ length: 10_000 }, (_, i) => [`${i}`, i]));
    for (const list of [() => store.entries(), () => store.values(), () => store.all()]) {
      const { scan = 0, mget = 0, ...others } = await sent(list);
      expect(others).toEqual({});
      expect(mget).toBeLessThanOrEqual(scan);
      expect(scan).toBeLessThan(15);
    }
    // A page of some: their values alone, and the heads of all.
    const {
      get: values = 0,
      mget: texts = 0,
      getrange: heads = 0,
    } = await sent(() => store.list({ limit: 5 }));
    expect([values, texts, heads]).toEqual([5, 0, 10_000]);
    const { scan: pages = 0, evalsha = 0, getrange = 0, mget = 0 } = await sent(() => store.keys());
    expect([mget, evalsha <= pages, getrange]).toEqual([0, true, 10_000]);
    const { unlink = 0, get = 0, del = 0 } = await sent(() => store.clear());
    expect([unlink, get, del]).toEqual([20, 0, 0]);
  });

  it("asks for fewer records at once where they are large", async () => {
    const client = createClient({ url: server.url });
    const store = open({}, client);
    await store.setMany(Array.from({ length: 600 }, (_, i) => [`${i}`, "x".repeat(100_000)]));
    const sizes: number[] = [];
    const { sendCommand } = client;
    // A wire keeps the method that it found: this client's is watched before another store takes
    // it.
    client.sendCommand = function (this: typeof client, args: string[], options: never) {
      if (args[0] === "MGET") sizes.push(args.length - 1);
      return sendCommand.call(this, args, options);
    } as never;
    const watched = open({}, client);
    let count = 0;
    let ahead = 0;
    for await (const _ of watched) if (count++ === 0) ahead = sizes.length;
    expect(count).toBe(600);
    // The first page was handed on while the second was on its way.
    expect(ahead).toBeLessThanOrEqual(2);
    expect(Math.max(...sizes)).toBeLessThan(150);
  });

  it("may take any number of pages: a listing goes on while each comes in time", async () => {
    await raw.eval('for i = 1, 100000 do redis.call("SET", "stranger:" .. i, "") end', 0);
    const client = createClient({ url: server.url });
    await kv(client, { prefix: "mine:" }).set("a", 1);
    const { sendCommand } = client;
    const listings = async (store: Store): Promise<unknown> => [
      await store.keys(),
      await store.entries(),
      await store.list(),
    ];
    let [pages, pause] = [0, 0];
    client.sendCommand = async function (this: typeof client, args: string[], options: never) {
      if (args[0] === "SCAN") await sleep(pause);
      if (args[0] === "SCAN") pages++;
      return sendCommand.call(this, args, options);
    } as never;
    // More than 24 pages take longer than the timeout. A busy machine gets more time for each page.
    for (pause = 50; ; pause *= 4) {
      const store = open({ prefix: "mine:", timeout: `${24 * pause}ms` }, client);
      pages = 0;
      const found = await listings(store).catch((error: unknown) => error);
      if (isKvError(found, "KV_CONNECTION") && pause < 800) continue;
      expect(found).toMatchObject([["a"], [["a", 1]], { entries: [{ key: "a" }] }]);
      expect(pages / 3).toBeGreaterThan(24);
      break;
    }
    // Over a client of its own: the other one may be replaced after the attempts that failed.
    await open({ prefix: "mine:", timeout: 0 }).clear();
    expect(await raw.dbsize()).toBe(100_000);
  });

  it("is the script itself where the server does not know it", async () => {
    const store = open();
    for (let round = 0; round < 2; round++) {
      await raw.script("FLUSH");
      expect(await store.commit([], [{ key: "a", value: round }])).toMatchObject({ ok: true });
      await raw.script("FLUSH");
      expect(await store.touch("a", "1h")).toBe(true);
      await raw.script("FLUSH");
      expect(await store.keys()).toEqual(["a"]);
    }
  });
});

describe("prefixes", () => {
  const HOSTILE = [
    "*",
    "?",
    "[vip]:",
    "[",
    "]",
    "\\",
    "a*",
    "a?",
    "h[ae]llo",
    "h[^e]llo",
    "h[a-b]llo",
    "^",
    "-",
    "\\*",
    "{a}",
    "é",
    "🎉",
    "\0",
    "\n",
    " ",
    "user:",
    "%",
  ];

  it("are literal", async () => {
    const store = open();
    const others = [
      "hello",
      "hallo",
      "hbllo",
      "vip:x",
      "v",
      "aa",
      "ab",
      "abc",
      "USER:x",
      "user_x",
      "x",
    ];
    await store.setMany([
      ...HOSTILE.map((prefix): [string, string] => [`${prefix}key`, prefix]),
      ...others.map((key): [string, string] => [key, key]),
    ]);
    const all = (await store.keys()).sort();
    expect(all.length).toBe(HOSTILE.length + others.length);
    for (const prefix of HOSTILE) {
      const mine = all
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
      expect([prefix, (await store.prefix(prefix).keys()).sort()]).toEqual([prefix, mine.sort()]);
      expect((await store.prefix(prefix).entries()).length).toBe(mine.length);
    }
    for (const prefix of HOSTILE) {
      const before = (await store.keys()).filter((key) => !key.startsWith(prefix)).sort();
      await store.prefix(prefix).clear();
      expect([prefix, (await store.keys()).sort()]).toEqual([prefix, before]);
    }
    expect((await store.keys()).sort()).toEqual(others.sort());
  });

  it("are all that clear() empties: other prefixes and other databases stay", async () => {
    const store = open();
    const other = createClient({ url: `${server.url}/1` });
    await open({}, other).set("elsewhere", 1);
    await store.setMany([
      ["a:1", 1],
      ["b:1", 1],
    ]);
    await raw.set("a:", "the prefix itself");
    await store.prefix("a:").clear();
    expect((await raw.keys("*")).sort()).toEqual(["a:", "b:1"]);
    await raw.config("RESETSTAT");
    await store.clear();
    expect(await raw.dbsize()).toBe(0);
    expect(await kv(other).get("elsewhere")).toBe(1);
  });
});

describe("foreign items in Redis", () => {
  const TYPES: { readonly [type: string]: (key: string) => Promise<unknown> } = {
    list: (key) => raw.rpush(key, "x"),
    hash: (key) => raw.hset(key, "f", "x"),
    set: (key) => raw.sadd(key, "x"),
    "sorted set": (key) => raw.zadd(key, 1, "x"),
    stream: (key) => raw.xadd(key, "*", "f", "x"),
  };

  it.each(Object.entries(TYPES))(
    "a %s is refused, not listed and not cleared; set replaces it",
    async (_, put) => {
      const store = open();
      await store.set("mine", 1);
      await put("theirs");
      await put("other");
      await expect(store.get("theirs")).rejects.toMatchObject({
        code: "KV_FOREIGN",
        key: "theirs",
      });
      await expect(store.entry("theirs")).rejects.toMatchObject({ code: "KV_FOREIGN" });
      await expect(store.touch("theirs", "1h")).rejects.toMatchObject({ code: "KV_FOREIGN" });
      await expect(
        store.commit(
          [
            { key: "x", version: null },
            { key: "theirs", version: null },
          ],
          [{ key: "x", value: 1 }],
        ),
      ).rejects.toMatchObject({ code: "KV_FOREIGN", key: "theirs" });
      expect([await store.has("theirs"), await store.has("x")]).toEqual([false, false]);
      expect(await store.getMany(["mine", "theirs"])).toEqual([1, null]);
      expect([
        await store.keys(),
        await store.entries(),
        (await store.list()).entries.length,
      ]).toEqual([["mine"], [["mine", 1]], 1]);
      await store.clear();
      expect(await raw.exists("theirs", "mine")).toBe(1);
      await store.set("theirs", "ours");
      expect(await store.get("theirs")).toBe("ours");
      await store.del("other");
      expect(await raw.exists("other")).toBe(0);
    },
  );

  it.each([
    "text",
    "",
    "{}",
    '{"kv":1}',
    '{"kv":2,"version":"0123456789abcdef0123","expires":null,"value":1}',
    '{"kv":1,"version":"XYZ3456789abcdef0123","expires":null           ,"value":1}',
    '{"a":',
    "null",
    "5",
  ])("the string %j is refused by reads, and listed by its key", async (text) => {
    const store = open();
    await store.set("mine", 1);
    await raw.set("theirs", text);
    await expect(store.get("theirs")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await expect(store.touch("theirs", "1h")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await expect(
      store.commit([{ key: "theirs", version: null }], [{ key: "x", value: 1 }]),
    ).rejects.toMatchObject({ code: "KV_FOREIGN" });
    expect(await store.has("theirs")).toBe(false);
    expect(await raw.get("theirs")).toBe(text);
    expect(await store.entries()).toEqual([["mine", 1]]);
    expect((await store.keys()).sort()).toEqual(["mine", "theirs"]);
    await store.clear();
    expect(await raw.dbsize()).toBe(0);
  });
});

describe("commit", () => {
  it("writes 1,000 records and checks 100", async () => {
    const store = open();
    await store.setMany(Array.from({ length: 100 }, (_, i) => [`c${i}`, i]));
    const checks = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => ({
        key: `c${i}`,
        version: (await store.entry(`c${i}`))!.version,
      })),
    );
    const writes = Array.from({ length: 1000 }, (_, i) => ({
      key: `w${i}`,
      value: i,
      ...(i % 2 ? { expires: "1h" } : {}),
    }));
    const result = await store.commit(checks, writes);
    expect(result).toMatchObject({ ok: true });
    expect((await store.getMany(writes.map(({ key }) => key))).length).toBe(1000);
    expect(
      new Set([(await store.entry("w0"))!.version, (await store.entry("w999"))!.version]),
    ).toEqual(new Set([result.ok && result.version]));
    await store.set("c50", "changed");
    const again = await store.commit(
      checks,
      writes.map(({ key }) => ({ key, value: null })),
    );
    expect(again).toEqual({ ok: false, failed: ["c50"] });
    expect(await raw.dbsize()).toBe(1100);
  });

  it("that a client sends twice, for want of an answer, says that it was made", async () => {
    const adapter = await adapterOf();
    const record = new StoredRecord(1, null, "0123456789abcdef0123", null);
    const once = (): unknown =>
      adapter.commit!(
        [{ key: "a", version: null }],
        [
          { key: "gone", record: null },
          { key: "a", record },
        ],
        Date.now(),
      );
    expect([await once(), await once()]).toEqual([
      { ok: true, version: "0123456789abcdef0123" },
      { ok: true, version: "0123456789abcdef0123" },
    ]);
    const other = new StoredRecord(2, null, "0123456789abcdef0124", null);
    expect(
      await adapter.commit!(
        [{ key: "a", version: null }],
        [{ key: "a", record: other }],
        Date.now(),
      ),
    ).toEqual({ ok: false, failed: ["a"] });
    await adapter.close!();
  });

  it("goes by the deadline in the record, not by that of Redis", async () => {
    const store = open();
    await store.set("a", 1, { expires: "1h" });
    const { version, expires } = (await store.entry("a"))!;
    await raw.persist("a");
    const adapter = await adapterOf();
    expect(await adapter.commit!([{ key: "a", version }], [], expires! - 1)).toMatchObject({
      ok: true,
    });
    expect(await adapter.commit!([{ key: "a", version: null }], [], expires! - 1)).toEqual({
      ok: false,
      failed: ["a"],
    });
    expect(await adapter.commit!([{ key: "a", version: null }], [], expires!)).toMatchObject({
      ok: true,
    });
    expect(await adapter.commit!([{ key: "a", version }], [], expires!)).toEqual({
      ok: false,
      failed: ["a"],
    });
    // As the store evicts: at moment 0.
    expect(
      await adapter.commit!([{ key: "a", version }], [{ key: "a", record: null }], 0),
    ).toMatchObject({ ok: true });
    expect(await raw.exists("a")).toBe(0);
    await adapter.close!();
  });
});

describe("refusals of Redis", () => {
  it.each(["node-redis 6", "node-redis 4", "ioredis 5", "ioredis 6"])(
    "are KV_QUOTA when its memory is full, and the record before is still there (%s)",
    async (name) => {
      const store = open({}, CLIENTS[name]!(server.url));
      const secret = "hunter2-hunter2";
      await store.set("a", "before");
      await store.commit([], [{ key: "x", value: 1 }]);
      await raw.config("SET", "maxmemory", "1");
      try {
        for (const write of [
          () => store.set("a", secret),
          () => store.setMany([["a", secret]]),
          () =>
            store.commit(
              [],
              [
                { key: "y", value: 1 },
                { key: "a", value: secret },
              ],
            ),
        ]) {
          const error = await write().then(
            () => null,
            (refusal: unknown) => refusal,
          );
          expect(error).toMatchObject({
            code: "KV_QUOTA",
            client: "REDIS",
            cause: { message: expect.stringContaining("OOM") },
          });
          // The value is in what ioredis says, not in what is handed on.
          expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
        }
        expect(await store.getMany(["a", "y"])).toEqual(["before", null]);
        await store.del("x");
      } finally {
        await raw.config("SET", "maxmemory", "0");
      }
      expect(await store.set("a", "after")).toBe("a");
    },
  );

  it.each(["node-redis 6", "node-redis 4", "ioredis 5"])(
    "leave the record before when the server takes no text as long (%s)",
    async (name) => {
      const store = open({}, CLIENTS[name]!(server.url));
      await store.set("a", "before");
      await raw.config("SET", "proto-max-bulk-len", "1mb");
      try {
        // The server says so and hangs up: what arrives first is a matter of luck.
        await expect(store.set("a", "x".repeat(2_000_000))).rejects.toMatchObject({
          code: expect.stringMatching(/^KV_(TOO_LARGE|CONNECTION)$/),
          key: "a",
        });
      } finally {
        await raw.config("SET", "proto-max-bulk-len", "512mb");
      }
      await expect.poll(() => store.get("a").catch(() => null)).toBe("before");
    },
  );

  it("keep their messages otherwise: a replica, no permission", async () => {
    const store = open();
    await store.set("a", 1);
    await raw.replicaof("127.0.0.1", 1);
    try {
      await expect(store.set("a", 2)).rejects.toMatchObject({
        code: "KV_CONNECTION",
        cause: { message: expect.stringContaining("READONLY") },
      });
      expect(await store.get("a")).toBe(1);
    } finally {
      await raw.replicaof("NO", "ONE");
    }
    await raw.acl("SETUSER", "reader", "on", ">pass", "~*", "+@read", "+@connection");
    const reader = open(
      {},
      createClient({ url: server.url, username: "reader", password: "pass" }),
    );
    expect(await reader.get("a")).toBe(1);
    await expect(reader.set("a", 2)).rejects.toMatchObject({
      code: "KV_CONNECTION",
      cause: { message: expect.stringContaining("NOPERM") },
    });
  });
});

describe("list({ ordered: false }) of Redis", () => {
  const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`);
  const fill = (store: Store, keys: readonly string[]): Promise<unknown> =>
    store.setMany(keys.map((key) => [key, key]));

  it("costs some commands for each page, however many keys there are", async () => {
    const store = open({ prefix: "walk:" });
    await fill(store, numbered(3000));
    const at: (string | null)[] = [null];
    const seen = new Set<string>();
    for (const cursor of at) {
      const counts = await sent(async () => {
        const page: EntryPage = await store.list<Json>({ ordered: false, cursor });
        expect(page.entries.length).toBeLessThanOrEqual(100);
        for (const { key } of page.entries) seen.add(key);
        if (page.cursor !== null) at.push(page.cursor);
      });
      expect(counts.scan ?? 0).toBeLessThanOrEqual(16);
    }
    expect(seen.size).toBe(3000);
    expect(at.length).toBeLessThan(120);
  });

  it("finds few keys among many, and may answer empty pages until then", async () => {
    const [many, few] = [open({ prefix: "many:" }), open({ prefix: "few:" })];
    await fill(many, numbered(5000));
    await fill(few, ["a", "b"]);
    const seen: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page: EntryPage = await few.list<Json>({ ordered: false, cursor, limit: 1 });
      seen.push(...page.entries.map(({ key }) => key));
      cursor = page.cursor;
      if (cursor === null) break;
    }
    expect(seen.sort()).toEqual(["a", "b"]);
  });

  it("starts anew on another server, and loses nothing", async () => {
    const store = open({ prefix: "run:" });
    await fill(store, numbered(300));
    const { cursor } = await store.list({ ordered: false });
    const text = Buffer.from(cursor!, "base64url").toString();
    const run = /run_id:(\w+)/.exec(await raw.info("server"))![1]!;
    const other = Buffer.from(text.replace(run, "f".repeat(40))).toString("base64url");
    const seen = new Set<string>();
    for (let at: string | null = other; at !== null;) {
      const page: EntryPage = await store.list<Json>({ ordered: false, cursor: at });
      for (const { key } of page.entries) seen.add(key);
      at = page.cursor;
    }
    expect([...seen].sort()).toEqual(numbered(300).sort());
  });

  it.each([
    '["","run","0","secret"]',
    '["","run","0","walk:a",1]',
    '["","run","-1"]',
    '["","run",7]',
    '["","run"]',
    "{}",
    "null",
    "7",
    "",
  ])("rejects the forged cursor %s", async (place) => {
    const store = open({ prefix: "walk:" });
    await open().set("secret", 1);
    await store.setMany(numbered(30).map((key) => [key, 1]));
    const text = `kv1~5.0:walk:${place}`;
    const cursor = Buffer.from(text).toString("base64url");
    const page = store.list({ cursor, ordered: false });
    await expect(page).rejects.toMatchObject({ code: "KV_INVALID_CURSOR", client: "REDIS" });
    await expect(store.list({ cursor })).rejects.toMatchObject({ code: "KV_INVALID_CURSOR" });
    await expect(kv().list({ cursor, ordered: false })).rejects.toMatchObject({
      code: "KV_INVALID_CURSOR",
    });
  });
});
