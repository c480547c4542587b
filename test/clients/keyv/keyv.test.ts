import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { deflateSync, inflateSync } from "node:zlib";
import KeyvRedis from "@keyv/redis";
import { Redis } from "ioredis";
import Keyv from "keyv";
import Keyv5 from "keyv5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyv, type KeyvLike } from "../../../src/clients/keyv/index.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { until } from "../../support/daemon.ts";
import { redisServer } from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";

/** One of each version. */
const keyvs = (options: object): KeyvLike[] => [
  new Keyv(options as never),
  new Keyv5(options as never),
];

const sortedKeys = (map: Map<string, unknown>): string[] => [...map.keys()].sort();

describe("KEYV", () => {
  it("keeps the documented text under the documented key", async () => {
    const six = new Map<string, { value: string; expires?: number }>();
    const five = new Map<string, string>();
    const at = Date.now() + 3_600_000;
    for (const client of [
      new Keyv({ store: six, namespace: "app" }),
      new Keyv5({ store: five, namespace: "app" }),
    ]) {
      await kv(client).set("user:1", { a: 1 }, { expires: new Date(at) });
      await kv(client).set("a::b", 1);
    }
    const text = /^\{"kv":1,"version":"[0-9a-f]{20}","expires":\d+,"value":\{"a":1\}\}$/;
    expect(sortedKeys(six)).toEqual(["app::a:~:b", "app::user:1"]);
    expect(sortedKeys(five)).toEqual(["app::a:~:b", "app::user:1"]);
    const items = [
      six.get("app::user:1")!,
      JSON.parse(five.get("app::user:1")!) as { value: string; expires: number },
    ];
    // Keyv has the deadline as well, a minute later.
    for (const { expires } of items) expect(Math.abs(expires! - at - 60_000)).toBeLessThan(5);
    expect((JSON.parse(items[0]!.value) as { value: string }).value).toMatch(text);
    expect(items[1]!.value).toMatch(text);
  });

  it("does not read on and on where the values are large", async () => {
    let passed = 0;
    class Counting extends Map<string, unknown> {
      override *entries(): ReturnType<Map<string, unknown>["entries"]> {
        for (const entry of super.entries()) {
          passed++;
          yield entry;
        }
      }
    }
    const store = kv(new Keyv({ store: new Counting() }));
    await store.setMany(Array.from({ length: 30 }, (_, i) => [`k${i}`, "x".repeat(200_000)]));
    for await (const _ of store) break;
    expect(passed).toBe(5);
    expect(await store.values()).toHaveLength(30);
  });

  it("never takes one namespace for another, nor a key for one of another namespace", async () => {
    for (const version of [0, 1]) {
      const map = new Map();
      const namespaces = [undefined, "a", "a:", "a::", "a:b", "a::b", ":", "b"];
      const stores = namespaces.map((namespace) =>
        kv(keyvs({ store: map, namespace })[version] as never),
      );
      const keys = [
        "x",
        ":x",
        "::x",
        "a:x",
        "a::x",
        "b:x",
        "b::x",
        ":b::x",
        "a:~:x",
        "~:x",
        "~~:x",
        "a:~~:x",
        "~",
        ":",
        "::",
        "a:b::x",
        "x:",
        "x::",
      ];
      for (const [i, store] of stores.entries()) await store.setMany(keys.map((key) => [key, i]));
      expect(map.size).toBe(namespaces.length * keys.length);
      for (const [i, store] of stores.entries()) {
        expect((await store.keys()).sort()).toEqual([...keys].sort());
        expect(await store.getMany(keys)).toEqual(keys.map(() => i));
      }
      await stores[1]!.clear();
      expect(map.size).toBe((namespaces.length - 1) * keys.length);
      await stores[0]!.clear();
      expect(map.size).toBe((namespaces.length - 2) * keys.length);
    }
  });

  it("stays below the hooks of Keyv, and leaves its items alone", async () => {
    for (const client of keyvs({}) as (KeyvLike & Pick<Keyv, "get" | "set">)[]) {
      const store = kv(client);
      await client.set("theirs", { a: 1 });
      await store.set("mine", 1);
      expect(await store.keys()).toEqual(["mine"]);
      // Keyv 5 keeps it under a key that is none of ours.
      if (client.encode !== undefined)
        await expect(store.get("theirs")).rejects.toMatchObject({ code: "KV_FOREIGN" });
      await store.clear();
      expect(await client.get("theirs")).toEqual({ a: 1 });
    }
  });

  it("uses serialisation, compression and encryption", async () => {
    const secret = randomBytes(32);
    const encryption = {
      encrypt(text: string) {
        const iv = randomBytes(16);
        const cipher = createCipheriv("aes-256-ctr", secret, iv);
        return Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final()]).toString("base64");
      },
      decrypt(text: string) {
        const bytes = Buffer.from(text, "base64");
        const decipher = createDecipheriv("aes-256-ctr", secret, bytes.subarray(0, 16));
        return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString(
          "utf8",
        );
      },
    };
    const compression = {
      compress: async (text: string) => deflateSync(text).toString("base64"),
      decompress: async (text: string) => inflateSync(Buffer.from(text, "base64")).toString("utf8"),
    };
    const map = new Map<string, unknown>();
    const none = undefined as never;
    const clients: KeyvLike[] = [
      new Keyv({ store: map, encryption, compression }),
      new Keyv({ store: map, serialization: false }),
      new Keyv5({ store: map, compression }),
      new Keyv5({ store: map, serialize: none, deserialize: none }),
      new Keyv5({ store: map, useKeyPrefix: false }),
    ];
    for (const client of clients) {
      map.clear();
      const store = kv(keyv(client));
      const value = { secret: ":base64:x", __proto: [1n].length, text: "é🎉" };
      await store.set("a", value, { expires: "1h" });
      await store.setMany([
        ["b", 1],
        ["c", 2],
      ]);
      expect(await store.get("a")).toEqual(value);
      expect((await store.entries()).sort()).toEqual([
        ["a", value],
        ["b", 1],
        ["c", 2],
      ]);
      if (client === clients[0]) expect(JSON.stringify([...map])).not.toContain("secret");
    }
  });

  it("tells honestly whether it can list", async () => {
    const map = new Map<string, unknown>();
    const bare = {
      get: async (key: string) => map.get(key),
      set: async (key: string, value: unknown) => void map.set(key, value),
      delete: async (key: string) => map.delete(key),
      clear: async () => map.clear(),
    };
    for (const client of [new Keyv({ store: bare }), new Keyv5({ store: bare })]) {
      const store = kv(client);
      expect(store.supports).toMatchObject({ iterate: false, persistent: true });
      await store.set("a", 1);
      expect(await store.get("a")).toBe(1);
      await expect(store.keys()).rejects.toMatchObject({
        code: "KV_NOT_SUPPORTED",
        client: "KEYV",
      });
      await expect(store.clear()).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED" });
    }
    expect(kv(new Keyv()).supports).toMatchObject({ iterate: true, persistent: false });
    expect(kv(new Keyv5()).supports).toMatchObject({ iterate: true, persistent: false });
  });

  it("reports a failure that is thrown, emitted as an event, or answered", async () => {
    const failure = new Error("secret");
    const map = new Map<string, unknown>();
    let fails = false;
    const failing = (result: unknown) => {
      if (fails) throw failure;
      return result;
    };
    const throwing = {
      get: async (key: string) => failing(map.get(key)),
      set: async (key: string, value: unknown) => failing(map.set(key, value) && undefined),
      delete: async (key: string) => failing(map.delete(key)),
      clear: async () => undefined,
      async *iterator() {
        yield* map;
        failing(undefined);
      },
      opts: { dialect: "redis", url: "" },
    };
    const quiet = (answer: unknown) => (fails ? answer : undefined);
    const refusing = {
      ...throwing,
      get: async (key: string) => map.get(key),
      set: async (key: string, value: unknown) => quiet(false) ?? void map.set(key, value),
      delete: async (key: string) => map.delete(key),
    };
    for (const [store, isThrowing] of [
      [throwing, true],
      [refusing, false],
    ] as const) {
      for (const client of keyvs({ store })) {
        fails = false;
        map.clear();
        const under = kv(client as never);
        await under.set("a", 1);
        fails = true;
        const error = { code: "KV_CONNECTION", client: "KEYV" };
        await expect(under.set("a", 2)).rejects.toMatchObject(error);
        await expect(
          under.setMany([
            ["a", 2],
            ["b", 2],
          ]),
        ).rejects.toMatchObject(error);
        if (isThrowing) {
          for (const work of [
            under.get("a"),
            under.get("none"),
            under.has("a"),
            under.getMany(["a", "b"]),
            under.del("a"),
            under.delMany(["a", "b"]),
            under.keys(),
          ]) {
            await expect(work).rejects.toMatchObject({ ...error, cause: failure });
            await expect(work).rejects.not.toThrow(/secret/);
          }
        }
        fails = false;
        await under.set("a", 3);
        expect(await under.get("a")).toBe(3);
      }
    }
  });

  it("takes back a commit that fails half-way", async () => {
    const map = new Map<string, unknown>();
    let fails = false;
    const store = {
      get: async (key: string) => map.get(key),
      set: async (key: string, value: unknown) => {
        if (fails && key.endsWith("b")) {
          fails = false;
          throw new Error("full");
        }
        map.set(key, value);
      },
      delete: async (key: string) => map.delete(key),
      clear: async () => undefined,
    };
    const under = kv(new Keyv({ store }));
    await under.setMany([
      ["a", 1],
      ["b", 2],
    ]);
    fails = true;
    await expect(
      under.commit(
        [],
        [
          { key: "a", value: 9 },
          { key: "b", value: 9 },
          { key: "c", value: 9 },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_CONNECTION" });
    expect(await under.getMany(["a", "b", "c"])).toEqual([1, 2, null]);
  });

  it("adds one listener for all stores, and closes on request", async () => {
    const six = new Keyv();
    const five = new Keyv5();
    for (let i = 0; i < 5; i++) {
      await kv(six).set("a", 1);
      await kv(five).set("a", 1);
    }
    expect(six.listenerCount("error")).toBe(1);
    expect(five.listeners("error").length).toBe(1);
    let disconnected = 0;
    six.on("disconnect", () => disconnected++);
    const store = kv(six);
    await store.get("a");
    expect(disconnected).toBe(0);
    await Promise.all([store.close(), store.close()]);
    expect(disconnected).toBe(1);
  });

  it("refuses a value that is no Keyv, and a Keyv that is too old", async () => {
    expect(() => keyv(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
    const old = {
      store: new Map(),
      opts: {},
      get() {},
      set() {},
      delete() {},
      clear() {},
      disconnect() {},
      on() {},
    };
    await expect(kv(keyv(old as never)).get("a")).rejects.toMatchObject({
      code: "KV_INVALID_CLIENT",
      client: "KEYV",
    });
  });
});

describe("KEYV on Redis", () => {
  let redis: Awaited<ReturnType<typeof redisServer>>;
  let raw: Redis;
  let client: Keyv;
  beforeAll(async () => {
    redis = await (await redisServer()).start();
    raw = new Redis(redis.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await redis.remove();
  });

  certify("KEYV 6 on Redis", {
    open: async () => {
      await raw.flushall();
      return kv(
        (client = new Keyv({ store: new KeyvRedis(redis.url), namespace: "app" })),
        PATIENT,
      );
    },
    reopen: () => kv(new Keyv({ store: new KeyvRedis(redis.url), namespace: "app" }), PATIENT),
    foreign: {
      put: (_store, key) => client.set(key, { theirs: 1 }),
      has: (_store, key) => client.has(key),
    },
    runs: 10,
  });

  const timed = conformance({
    clock: "real",
    open: async () => {
      await raw.flushall();
      return kv(new Keyv({ store: new KeyvRedis(redis.url), namespace: "app" }), PATIENT);
    },
  });
  for (const { name, run } of timed.filter((test) => /^E|expire|deadline|touch/.test(test.name)))
    it(`conforms by the real clock: ${name}`, run);

  it("gives Redis the deadline, and leaves other namespaces and other keys alone", async () => {
    await raw.flushall();
    await raw.mset(
      "canary",
      "1",
      "app:canary",
      "2",
      "other::canary",
      "3",
      "app::canary",
      "no text of Keyv's",
    );
    for (const keyvOnRedis of [
      new Keyv({ store: new KeyvRedis(redis.url), namespace: "app" }),
      new Keyv5({ store: new KeyvRedis(redis.url) as never, namespace: "app" }),
    ]) {
      const store = kv(keyvOnRedis as KeyvLike & Keyv);
      await store.set("a", 1, { expires: "1h" });
      await store.set("b", 1);
      const [a, b] = (await raw.keys("app::*[ab]")).sort() as [string, string];
      const left = await raw.pttl(a);
      expect(left).toBeGreaterThan(3_600_000);
      expect(left).toBeLessThanOrEqual(3_660_000);
      expect(await raw.pttl(b)).toBe(-1);
      expect((await store.keys()).sort()).toEqual(["a", "b"]);
      await store.clear();
      expect((await raw.keys("*")).sort()).toEqual([
        "app::canary",
        "app:canary",
        "canary",
        "other::canary",
      ]);
      await store.close();
    }
  });

  it("tells of an outage, survives it, and works again", async () => {
    const server = await redisServer();
    await server.start();
    const store = kv(
      new Keyv({
        store: new KeyvRedis({
          url: server.url,
          socket: { reconnectStrategy: 20 },
          disableOfflineQueue: true,
        }),
        namespace: "app",
      }),
      PATIENT,
    );
    await store.set("a", 1);
    expect(await store.getMany(["a", "none"])).toEqual([1, null]);
    await server.kill();
    for (const work of [
      () => store.get("a"),
      () => store.get("none"),
      () => store.set("a", 2),
      () => store.has("a"),
      () => store.getMany(["a", "b"]),
      () =>
        store.setMany([
          ["a", 1],
          ["b", 2],
        ]),
      () => store.del("a"),
      () => store.keys(),
    ]) {
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "KEYV" });
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
