import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { RedisClient } from "../../src/clients/redis/index.ts";
import kv, { type Store } from "../../src/index.ts";
import { bitset, DynamicStore, StaticStore } from "../../src/schema/index.ts";
import { type CuttingProxy, cuttingProxy } from "../support/cutting-proxy.ts";
import { until } from "../support/daemon.ts";
import { CLIENTS, newest } from "../support/redis-clients.ts";
import { ask, redisServer } from "../support/redis-server.ts";
import { appOn, CHANGES, fieldOf, KINDS, SAMPLES, valueOf } from "../suites/schema/app.ts";
import { changedByTwo } from "../programs/schema-process.ts";
import { PATIENT } from "../support/patient.ts";

const redis = await redisServer();
let proxy: CuttingProxy;
let store: Store;
beforeAll(async () => {
  await redis.start();
  proxy = await cuttingProxy(redis.port);
  store = kv(createClient({ url: redis.url }), PATIENT);
});
afterAll(async () => {
  await store.close();
  await proxy.remove();
  await redis.remove();
});
beforeEach(() => ask(redis.port, (client) => client.flushall()));

const call = (name: string, ...args: (string | number)[]): Promise<unknown> =>
  ask(redis.port, (client) => client.call(name, ...args.map(String)));

/** How often each command came while something is done, those inside of scripts included. */
async function calls(work: () => Promise<unknown>): Promise<{ [command: string]: number }> {
  const counted = async (): Promise<{ [command: string]: number }> => {
    const lines = String(await call("INFO", "commandstats")).matchAll(
      /^cmdstat_([^:]+):calls=(\d+)/gm,
    );
    return Object.fromEntries([...lines].map(([, name, count]) => [name!, Number(count)]));
  };
  const before = await counted();
  await work();
  const after = await counted();
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - (before[name] ?? 0)])
      .filter(([, count]) => (count as number) > 0),
  );
}

describe.each<[string, (url: string) => RedisClient]>([
  ...newest(CLIENTS),
  ["node-redis 6 with RESP2", (url) => createClient({ url, RESP: 2 })],
  ["node-redis 6 with RESP3", (url) => createClient({ url, RESP: 3 })],
])("fields over %s", (_name, open) => {
  it("behave as in memory", async () => {
    const [own, plain] = [kv(open(redis.url)), kv()];
    const [app, other] = [appOn(own), appOn(plain)];
    for (const kind of KINDS) {
      for (const work of [SAMPLES[kind], CHANGES[kind]])
        expect(await work(app), kind).toEqual(await work(other));
      expect(await valueOf(app, kind), kind).toEqual(await valueOf(other, kind));
    }
    await app.take("sorted").addAll({ b: 0.1, c: -1.5e-7, d: 1e21 });
    await other.take("sorted").addAll({ b: 0.1, c: -1.5e-7, d: 1e21 });
    expect(await app.take("sorted").range()).toEqual(await other.take("sorted").range());
    expect([
      await app.take("wide").sum(0, 5),
      await app.take("sorted").rank("b"),
      await app.take("sorted").score("x"),
      await app.take("hash").get("x"),
      [...(await app.take("set").intersect(app.take("set")))].sort(),
    ]).toEqual([6n, 1, undefined, undefined, ["a", "b", "c"]]);
    await app.take("wide").write(0, -(2n ** 63n));
    expect([
      await app.take("wide").read(0),
      await app.take("wide").increment(0, -1n),
      (await app.keys()).length,
    ]).toEqual([-(2n ** 63n), 2n ** 63n - 1n, KINDS.length]);
    await expect(app.take("set").add("\ud800")).rejects.toMatchObject({
      code: "KV_VALIDATION",
      client: "REDIS",
    });
    await app.erase();
    expect(await own.keys()).toEqual([]);
    await own.close();
  });
});

it("keeps numbers and collections in Redis's own types, for others to use", async () => {
  const app = appOn(store);
  for (const kind of KINDS) await SAMPLES[kind](app);
  const types = await Promise.all(
    KINDS.map(async (kind) => [kind, await call("TYPE", `app:${kind}`)]),
  );
  expect(Object.fromEntries(types)).toEqual({
    string: "string",
    number: "string",
    boolean: "string",
    bytes: "string",
    set: "set",
    list: "list",
    hash: "hash",
    sorted: "zset",
    small: "string",
    wide: "string",
    json: "string",
  });
  expect([await call("INCRBY", "app:number", 5), await app.take("number").read()]).toEqual([
    10, 10,
  ]);
  await call("SADD", "app:set", "theirs");
  await call("HSET", "app:hash", "their", "value");
  await call("BITFIELD", "app:small", "SET", "i8", 64 + 8, -7);
  expect([
    await app.take("set").has("theirs"),
    await app.take("hash").get("their"),
    await app.take("small").read(1),
  ]).toEqual([true, "value", -7]);
  // Fractions of theirs are read, and added to as JavaScript does.
  await call("SET", "app:number", "0.1");
  expect([await app.take("number").increment(0.2), await call("GET", "app:number")]).toEqual([
    0.1 + 0.2,
    "0.30000000000000004",
  ]);
  await call("SET", "app:number", "-0");
  expect(await app.take("number").read()).toBe(0);
  // Nothing at all is refused, too, where another type is.
  const [sets, lists, hashes] = [
    DynamicStore("app", "set", { store }),
    DynamicStore("app", "list", { store }),
    DynamicStore("app", "hash", { store }),
  ];
  for (const work of [
    () => sets.take("list").remove([]),
    () => sets.take("list").add([]),
    () => lists.take("set").push([]),
    () => hashes.take("set").remove([]),
    () => hashes.take("set").setAll({}),
  ])
    await expect(work()).rejects.toMatchObject({ code: "KV_FOREIGN" });
  await call("SET", "app:number", "0.5");
  expect([await app.take("number").increment(0.1), await call("GET", "app:number")]).toEqual([
    0.6,
    "0.6",
  ]);
  for (const [raw, next] of [
    ["007", 8],
    ["5.0", 6],
    ["-0", 1],
    ["1e3", 1001],
    ["-7", -6],
  ] as const) {
    await call("SET", "app:number", raw);
    expect([await app.take("number").increment(), await call("GET", "app:number")], raw).toEqual([
      next,
      String(next),
    ]);
  }
  // A large sum is written so that INCRBY can go on.
  await call("SET", "app:number", "0.5");
  expect([
    await app.take("number").increment(999_999_999_999_999.5),
    await call("INCRBY", "app:number", 1),
  ]).toEqual([1e15, 1e15 + 1]);
  await call("ZADD", "app:sorted", "inf", "last", "-inf", "first");
  expect([[...(await app.take("sorted").read())!], await app.take("sorted").score("last")]).toEqual(
    [
      [
        ["first", -Infinity],
        ["a", 1],
        ["last", Infinity],
      ],
      Infinity,
    ],
  );
  for (const raw of ["0x10", " 5", "text", "", "1-2", ".", "1e400"]) {
    await call("SET", "app:number", raw);
    await expect(app.take("number").increment(), raw).rejects.toMatchObject({
      code: "KV_FOREIGN",
      key: "app:number",
    });
  }
  await call("SET", "app:small", "whatever");
  await expect(app.take("small").read(0)).rejects.toMatchObject({
    code: "KV_FOREIGN",
    key: "app:small",
  });
});

it("sets native deadlines, and keeps them through every rewrite", async () => {
  const app = appOn(store);
  for (const kind of KINDS) {
    await SAMPLES[kind](app, { expires: "1h" });
    const at = await call("PEXPIRETIME", `app:${kind}`);
    expect(Math.abs(Number(at) - Date.now() - 3_600_000), kind).toBeLessThan(60_000);
    await CHANGES[kind](app);
    await SAMPLES[kind](app);
    if (kind === "number") await app.take(kind).increment(0.5);
    expect(await call("PEXPIRETIME", `app:${kind}`), kind).toBe(at);
    await fieldOf(app, kind).touch(null);
    expect(await call("PTTL", `app:${kind}`), kind).toBe(-1);
  }
  const brief = appOn(store.expires("2h"));
  await brief.erase();
  await brief.take("set").add("a");
  expect(Number(await call("PTTL", "app:set"))).toBeGreaterThan(7_000_000);
});

it("removes a record that has expired by the local clock", async () => {
  const app = appOn(store);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
  try {
    for (const kind of KINDS) {
      await SAMPLES[kind](app);
      await CHANGES[kind](app, { expires: "0s" });
      expect(await fieldOf(app, kind).exists(), kind).toBe(false);
    }
  } finally {
    vi.useRealTimers();
  }
});

it("tells at once who watches over the same connection", async () => {
  const [set, number] = [appOn(store).take("set"), appOn(store).take("number")];
  const [members, numbers] = [
    set.watch({ interval: "1h" }).getReader(),
    number.watch({ interval: "1h" }).getReader(),
  ];
  await Promise.all([members.read(), numbers.read()]);
  const next = [members.read(), numbers.read()];
  await set.add("a");
  await number.increment();
  expect((await Promise.all(next)).map(({ value }) => value)).toEqual([new Set(["a"]), 1]);
  const gone = members.read();
  expect(await set.touch(0)).toBe(true);
  expect((await gone).value).toBeUndefined();
  await Promise.all([members.cancel(), numbers.cancel()]);
});

it("needs one request for each call, whatever its size", async () => {
  const flags = DynamicStore("flags", bitset(64), { store }).take("a");
  const many = Array.from({ length: 20_000 }, (_, i) => `member ${i}`);
  const set = DynamicStore("sets", "set", { store }).take("a");
  await flags.write(9999, 5n);
  await flags.write(0, -7n);
  await set.write(["old"]);
  await set.size();
  await flags.sum(0, 1);
  const requests = async (work: () => Promise<unknown>): Promise<number> =>
    (await calls(work))["evalsha"] ?? 0;
  expect(await requests(async () => expect(await flags.sum(0, 10_000)).toBe(-2n))).toBe(1);
  expect(await requests(() => set.write(many))).toBe(1);
  expect(await requests(() => set.add(many))).toBe(1);
  expect([await set.size(), await set.has("old")]).toEqual([20_000, false]);
  // More sets than one call of a script takes.
  const one = DynamicStore("sets", "set", { store }).take("b");
  await one.add("member 5");
  expect(await requests(async () => expect((await one.intersect(set)).size).toBe(1))).toBe(1);
  expect([...(await one.intersect(set, ...Array<typeof set>(9000).fill(one)))]).toEqual([
    "member 5",
  ]);
  const listing = await calls(() => DynamicStore("sets", "set", { store }).keys());
  expect([listing["scan"]! > 0, listing["keys"], listing["evalsha"], listing["smembers"]]).toEqual([
    true,
    undefined,
    undefined,
    undefined,
  ]);
});

it("leaves other types than strings out of listings and clear() of the base store", async () => {
  const app = appOn(store);
  for (const kind of KINDS) await SAMPLES[kind](app);
  await call("SADD", "other", "theirs");
  const collections = ["app:hash", "app:list", "app:set", "app:sorted"];
  const strings = KINDS.map((kind) => `app:${kind}`).filter((key) => !collections.includes(key));
  expect((await store.keys()).sort()).toEqual(strings.sort());
  // Numbers and bitsets are no records.
  expect((await store.entries()).map(([key]) => key).sort()).toEqual([
    "app:boolean",
    "app:bytes",
    "app:json",
    "app:string",
  ]);
  for (const key of ["app:set", "app:number"])
    await expect(store.get(key)).rejects.toMatchObject({ code: "KV_FOREIGN" });
  expect(await store.get("app:json")).toEqual({ json: { name: "Ann", visits: 0 } });
  await store.clear();
  expect(((await call("KEYS", "*")) as string[]).sort()).toEqual([...collections, "other"].sort());
  expect((await app.keys()).sort()).toEqual(["hash", "list", "set", "sorted"]);
  await app.erase();
  expect(await call("KEYS", "*")).toEqual(["other"]);
});

it("rejects a call without an answer in time, and works afterwards", async () => {
  const hasty = kv(createClient({ url: redis.url }), { timeout: "300ms" });
  const set = DynamicStore("sets", "set", { store: hasty }).take("a");
  await set.add("a");
  redis.pause();
  try {
    for (const work of [
      () => set.size(),
      () => set.add("b"),
      () => DynamicStore("sets", "set", { store: hasty }).keys(),
    ])
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "REDIS" });
    await expect(set.add("b")).rejects.toMatchObject({
      key: "sets:a",
      message: expect.stringContaining('set.add "sets:a" failed'),
    });
  } finally {
    redis.resume();
  }
  await until("it answers", () => set.has("a").catch(() => false));
  await hasty.close();
  for (const work of [
    () => set.size(),
    () => set.add("b"),
    () => set.erase(),
    () => DynamicStore("sets", "set", { store: hasty }).keys(),
  ])
    await expect(work()).rejects.toMatchObject({ code: "KV_CLOSED" });
});

it.each(["ioredis 5", "node-redis 6"])(
  "never answers as done once what may have been done twice (%s)",
  async (name) => {
    const cut = kv(CLIENTS[name]!(proxy.url));
    const app = StaticStore("app", { number: "number", list: "list" }, { store: cut });
    expect([await app.take("number").increment(), await app.take("list").push("a")]).toEqual([
      1, 1,
    ]);
    const lost = proxy.cut("EVALSHA");
    await expect(app.take("number").increment()).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await lost;
    await until("it works", () =>
      app
        .take("number")
        .read()
        .then(
          () => true,
          () => false,
        ),
    );
    expect(await app.take("number").read()).toBe(name === "ioredis 5" ? 3 : 2);
    if (name === "ioredis 5") {
      const [list, sorted, bits] = [
        app.take("list"),
        StaticStore("app", { sorted: "sorted" }, { store: cut }).take("sorted"),
        StaticStore("app", { bits: bitset(8) }, { store: cut }).take("bits"),
      ];
      const works = [
        () => list.push("b"),
        () => list.unshift("c"),
        () => list.pop(),
        () => list.shift(),
        () => list.trim(1),
        () => sorted.increment("a"),
        () => bits.increment(0),
      ];
      for (const work of works) await work();
      for (const work of works) {
        const again = proxy.cut("EVALSHA");
        await expect(work(), String(work)).rejects.toMatchObject({ code: "KV_CONNECTION" });
        await again;
        await until("it works", () =>
          app
            .take("number")
            .read()
            .then(
              () => true,
              () => false,
            ),
        );
      }
    }
    await cut.close();
  },
);

it("loses nothing when two processes change the same fields", async () => {
  expect(await changedByTwo("REDIS", redis.url, 50, store)).toEqual([100, 100, 100, 100, 100]);
});
