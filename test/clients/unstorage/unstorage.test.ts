import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Redis } from "ioredis";
import { createStorage, defineDriver, type Driver, type Storage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import fsLiteDriver from "unstorage/drivers/fs-lite";
import memoryDriver from "unstorage/drivers/memory";
import nullDriver from "unstorage/drivers/null";
import redisDriver from "unstorage/drivers/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { unstorage } from "../../../src/clients/unstorage/index.ts";
import { KEYS } from "../../../src/conformance/samples.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { itemName, keyOfItem } from "../../../src/clients/unstorage/key.ts";
import { certify } from "../../suites/certify.ts";
import { until } from "../../support/daemon.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { redisServer } from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";

describe("names of items", () => {
  it("are readable, reversible, and never one the folder of another", () => {
    expect(itemName("user:1")).toBe("user%3a1.json");
    expect(itemName("A/é?")).toBe("%41%2f%c3%a9%3f.json");
    expect(itemName("../..")).toBe("%2e.%2f...json");
    expect(itemName("con.x")).toBe("%63on.x.json");
    expect(itemName("node_modules")).toBe("node_modules.json");
    const long = [
      "x".repeat(100),
      "x".repeat(101),
      "x".repeat(512),
      "漢".repeat(170),
      "\0".repeat(512),
      "~:".repeat(90),
      ".".repeat(300),
    ];
    const names = [...KEYS, ...long].map(itemName);
    for (const [i, key] of [...KEYS, ...long].entries()) expect(keyOfItem(names[i]!)).toBe(key);
    const folders = new Set(
      names.flatMap((name) =>
        name
          .split(":")
          .slice(0, -1)
          .map((_, i, parts) => parts.slice(0, i + 1).join(":")),
      ),
    );
    expect(folders.size).toBeGreaterThan(3);
    for (const name of names) {
      expect(folders.has(name)).toBe(false);
      expect(name).toBe(name.toLowerCase());
      for (const part of name.split(":")) {
        expect(part).toMatch(/^[a-z0-9._%-]+(?:~|\.json)$/);
        expect(part.length).toBeLessThanOrEqual(106);
      }
    }
    for (const other of [
      "a",
      "A.json",
      "a b.json",
      ".json",
      "%61.json",
      "a~:b.json",
      "%zz.json",
      "a%.json",
      "a.json$",
    ])
      expect(keyOfItem(other)).toBe(null);
  });
});

describe("UNSTORAGE", () => {
  let storage: Storage;
  let warn: ReturnType<typeof vi.spyOn>;
  beforeEach(() => {
    storage = createStorage();
    warn = vi.spyOn(console, "warn");
  });
  afterEach(() => {
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it("keeps the documented text, also of members that unstorage would drop", async () => {
    const store = kv(storage);
    await store.set("user:1", { name: "Ann" });
    expect(await storage.getItem("user%3a1.json")).toEqual({
      kv: 1,
      version: expect.stringMatching(/^[0-9a-f]{20}$/),
      expires: null,
      value: { name: "Ann" },
    });
    const dangerous = JSON.parse(
      '{"__proto__":{"a":1},"constructor":{"prototype":1},"n":[{"__proto__":2,"2":1,' +
        '"1":2}],"t":"\\"__proto__\\":1"}',
    ) as object;
    for (const drivers of [storage, Object.assign(createStorage(), {})]) {
      const other = kv(drivers);
      await other.setMany([
        ["a", dangerous],
        ["b", { x: dangerous }],
      ]);
      expect(JSON.stringify(await other.get("a"))).toBe(JSON.stringify(dangerous));
      expect(JSON.stringify(await other.getMany(["a", "b"]))).toBe(
        JSON.stringify([dangerous, { x: dangerous }]),
      );
      expect(JSON.stringify(await other.values())).toContain(
        '{"__proto__":{"a":1},"constructor":{"prototype":1}',
      );
    }
  });

  it("reads values that a driver has parsed by itself", async () => {
    const data = new Map<string, unknown>();
    const parsing: Driver = {
      ...memoryDriver(),
      getItem: (key: string) => (data.has(key) ? JSON.parse(data.get(key) as string) : null),
      setItem: (key: string, value: string) => void data.set(key, value),
      getKeys: () => [...data.keys()],
      removeItem: (key: string) => void data.delete(key),
    };
    const store = kv(createStorage({ driver: parsing }));
    const value = { "2": 1, "1": 2, b: "x", a: [null, { "": 0 }] };
    await store.set("a", value, { metadata: { m: 1 }, expires: "1h" });
    expect(JSON.stringify(await store.get("a"))).toBe(JSON.stringify(value));
    expect((await store.entry("a"))!.metadata).toEqual({ m: 1 });
  });

  it("keeps to its base, and shares the storage with others", async () => {
    await storage.setItem("canary", "1");
    await storage.setItem("app:canary.json", { theirs: 1 });
    await storage.setItem("app:sub:a.json", "1");
    await storage.setItem("apple:a.json", "1");
    await storage.setMeta("app:x.json", { theirs: true });
    const before = await storage.getKeys();
    const [app, sub] = [
      kv(unstorage(storage, { base: "app" })),
      kv(unstorage(storage, { base: "app/sub:" })),
    ];
    await app.setMany([
      ["a", 1],
      ["sub:b", 2],
    ]);
    await sub.set("c", 3);
    expect((await app.keys()).sort()).toEqual(["a", "sub:b"]);
    expect(await sub.keys()).toEqual(["c"]);
    await expect(app.get("canary")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await app.clear();
    expect(await sub.keys()).toEqual(["c"]);
    await sub.clear();
    await kv(storage).clear();
    expect(await storage.getKeys()).toEqual(before);
    expect(await storage.getMeta("app:x.json")).toEqual({ theirs: true });
    for (const base of ["a?b", "..", "a:..:b", "./a"])
      await expect(kv(unstorage(storage, { base })).get("a")).rejects.toMatchObject({
        code: "KV_INVALID_CLIENT",
      });
  });

  it("works over several mounts", async () => {
    storage.mount("app", memoryDriver());
    const store = kv(unstorage(storage, { base: "app" }));
    await store.set("a", 1);
    expect(await storage.getMount("app").driver.getKeys("", {})).toEqual(["a.json"]);
    expect(await store.keys()).toEqual(["a"]);
    expect(await kv(storage).keys()).toEqual([]);
  });

  it("commits among all stores over a storage, and takes back a failed commit", async () => {
    let fails = false;
    const failing = defineDriver(() => {
      const memory = memoryDriver();
      return {
        ...memory,
        setItem: async (key: string, value: string) => {
          if (fails && key === "b.json") {
            fails = false;
            throw new Error("full");
          }
          await memory.setItem!(key, value, {});
        },
      };
    });
    storage = createStorage({ driver: failing() });
    const [one, two] = [kv(storage), kv(unstorage(storage))];
    await one.set("count", 0);
    const increment = async (store: typeof one): Promise<void> => {
      for (;;) {
        const { value, version } = (await store.entry<number>("count"))!;
        if (
          (await store.commit([{ key: "count", version }], [{ key: "count", value: value + 1 }])).ok
        )
          return;
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, i) => increment(i % 2 ? one : two)));
    expect(await two.get("count")).toBe(50);
    await one.setMany([
      ["a", 1],
      ["b", 2],
    ]);
    fails = true;
    await expect(
      one.commit(
        [],
        [
          { key: "a", value: 9 },
          { key: "b", value: 9 },
          { key: "c", value: 9 },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_CONNECTION", client: "UNSTORAGE" });
    expect(await one.getMany(["a", "b", "c"])).toEqual([1, 2, null]);
  });

  it("says so when nothing can be written", async () => {
    const folder = temporaryFolder();
    const { setItem: _set, ...readOnly } = memoryDriver();
    for (const driver of [
      fsDriver({ base: folder.path, readOnly: true }),
      fsLiteDriver({ base: folder.path, readOnly: true }),
      readOnly as Driver,
    ]) {
      const store = kv(createStorage({ driver }));
      expect(await store.get("a")).toBe(null);
      for (const work of [
        store.set("a", 1),
        store.setMany([["a", 1]]),
        store.del("a"),
        store.commit([], [{ key: "a", value: 1 }]),
      ])
        await expect(work).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED", client: "UNSTORAGE" });
    }
    folder.remove();
    // There is a place for everything but what is to be kept.
    expect(await kv(createStorage({ driver: nullDriver() })).get("a")).toBe(null);
  });
});

describe("UNSTORAGE on files", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  it("makes a readable file for each key", async () => {
    const store = kv(createStorage({ driver: fsDriver({ base: folder.path }) }));
    await store.set("user:1", { name: "Ann" });
    await store.set("node_modules", 1);
    expect(readdirSync(folder.path).sort()).toEqual(["node_modules.json", "user%3a1.json"]);
    expect(JSON.parse(readFileSync(`${folder.path}/user%3a1.json`, "utf8"))).toMatchObject({
      kv: 1,
      value: { name: "Ann" },
    });
    const keys = ["\0".repeat(512), "A".repeat(512), "a".repeat(512), "a".repeat(100)];
    await store.setMany(keys.map((key) => [key, key]));
    expect((await store.keys()).sort()).toEqual([...keys, "node_modules", "user:1"].sort());
    expect(await store.getMany(keys)).toEqual(keys);
    await store.clear();
    expect(await store.keys()).toEqual([]);
  });

  it("reports the errors that the driver returns instead of throwing", async () => {
    for (const driver of [
      fsDriver({ base: `${folder.path}/x` }),
      fsLiteDriver({ base: `${folder.path}/x` }),
    ]) {
      rmSync(`${folder.path}/x`, { recursive: true, force: true });
      // A file where there should be a folder.
      writeFileSync(`${folder.path}/x`, "");
      const store = kv(createStorage({ driver }));
      await expect(store.get("a")).rejects.toMatchObject({
        code: "KV_CONNECTION",
        cause: { code: "ENOTDIR" },
      });
      await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_CONNECTION" });
      rmSync(`${folder.path}/x`);
      mkdirSync(`${folder.path}/x`);
      await store.set("a", 1);
      expect(await store.get("a")).toBe(1);
      expect(await store.del("a")).toBe("a");
      expect(await store.get("a")).toBe(null);
    }
  });

  it("tells when a file cannot be deleted", async () => {
    const memory = memoryDriver();
    const stuck: Driver = { ...memory, name: "fs", removeItem: () => new Error("EACCES") as never };
    const store = kv(createStorage({ driver: stuck }));
    await store.set("a", 1);
    await expect(store.del("a")).rejects.toMatchObject({ code: "KV_CONNECTION", key: "a" });
    expect(await store.get("a")).toBe(1);
  });
});

describe("UNSTORAGE on Redis", () => {
  let redis: Awaited<ReturnType<typeof redisServer>>;
  let raw: Redis;
  let storage: Storage;
  beforeAll(async () => {
    redis = await (await redisServer()).start();
    raw = new Redis(redis.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await redis.remove();
  });

  certify("UNSTORAGE by the redis driver", {
    open: async () => {
      await raw.flushall();
      storage = createStorage();
      storage.mount("cache", redisDriver({ url: redis.url, base: "unstorage" }));
      return kv(unstorage(storage, { base: "cache" }), PATIENT);
    },
    reopen: () => {
      const again = createStorage();
      again.mount("cache", redisDriver({ url: redis.url, base: "unstorage" }));
      return kv(unstorage(again, { base: "cache" }), PATIENT);
    },
    foreign: {
      put: (_store, key) => storage.setItem(`cache:${itemName(key)}`, { theirs: 1 }),
      has: (_store, key) => storage.hasItem(`cache:${itemName(key)}`),
    },
    runs: 10,
  });

  const timed = conformance({
    clock: "real",
    open: async () => {
      await raw.flushall();
      return kv(createStorage({ driver: redisDriver({ url: redis.url }) }), PATIENT);
    },
  });
  for (const { name, run } of timed.filter((test) => /^E|expire|deadline|touch/.test(test.name)))
    it(`conforms by the real clock: ${name}`, run);

  it("gives Redis the deadline, and reads many at once", async () => {
    await raw.flushall();
    await raw.mset("canary", "1", "app:canary", "2");
    const driver = redisDriver({ url: redis.url, base: "app" });
    const store = kv(createStorage({ driver }));
    await store.set("a", 1, { expires: "1h" });
    await store.set("b", 1);
    await store.set("c", 1, { expires: new Date("9999-12-31") });
    const left = await raw.pttl("app:a.json");
    expect(left).toBeGreaterThan(3_600_000);
    expect(left).toBeLessThanOrEqual(3_661_000);
    for (const key of ["b", "c"]) expect(await raw.pttl(`app:${key}.json`)).toBe(-1);
    // Through a store of its own, whose sweeps end with it.
    const writer = kv(createStorage({ driver: redisDriver({ url: redis.url, base: "app" }) }));
    await writer.setMany(Array.from({ length: 250 }, (_, i) => [`k${i}`, i]));
    await writer.close();
    await raw.config("RESETSTAT");
    expect((await store.entries()).length).toBe(253);
    const stats = await raw.info("commandstats");
    expect(stats).toMatch(/cmdstat_mget:calls=3,/);
    expect(stats).not.toMatch(/cmdstat_get:/);
    await store.clear();
    expect((await raw.keys("*")).sort()).toEqual(["app:canary", "canary"]);
    await store.close();
  });

  it("tells of an outage, and works again", async () => {
    const server = await redisServer();
    await server.start();
    const driver = redisDriver({
      url: server.url,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      lazyConnect: true,
      retryStrategy: () => 20,
    });
    const client = (driver.getInstance as () => Redis)();
    client.on("error", () => undefined);
    await client.connect();
    const store = kv(createStorage({ driver }));
    await store.set("a", 1);
    await server.kill();
    for (const work of [
      () => store.get("a"),
      () => store.set("a", 2),
      () => store.getMany(["a", "b"]),
      () =>
        store.setMany([
          ["a", 1],
          ["b", 2],
        ]),
      () => store.del("a"),
      () => store.keys(),
    ]) {
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "UNSTORAGE" });
    }
    await server.start();
    await until("it works again", () =>
      store.set("a", 3).then(
        () => true,
        () => false,
      ),
    );
    expect(await store.entries()).toEqual([["a", 3]]);
    await store.close();
    await server.remove();
  });
});
