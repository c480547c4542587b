import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import fc from "fast-check";
import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { increment } from "../../../src/atomic/index.ts";
import { redis } from "../../../src/clients/redis/index.ts";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import kv, { type EntryPage, type Json, type KvOptions, type Store } from "../../../src/index.ts";
import { compareKeys } from "../../../src/record/utf8.ts";
import { certify } from "../../suites/certify.ts";
import { ask, redisServer } from "../../support/redis-server.ts";
import { until } from "../../support/daemon.ts";
import { eventually } from "../../support/eventually.ts";
import { PATIENT } from "../../support/patient.ts";
import { runs } from "../../support/runs.ts";

const INDEX = "anykv:order:{}";

const server = await redisServer();
const raw = new Redis(server.port, "127.0.0.1", { lazyConnect: true });
beforeAll(async () => {
  await server.start();
  await raw.connect();
});
afterAll(async () => {
  raw.disconnect();
  await server.remove();
});

const open = (options: KvOptions = {}): Store =>
  kv(redis(createClient({ url: server.url }), { ordered: true }), { ...PATIENT, ...options });

const flush = (): Promise<unknown> => ask(server.port, (client) => client.flushall());

/** Deadlines pass by the clock of the test, not by that of the server. */
function ahead(): void {
  const now = Date.now;
  Date.now = () => now() + 3_600_000;
}

certify("REDIS with ordered by node-redis", {
  async open() {
    await flush();
    ahead();
    return open();
  },
  reopen: () => open(),
  runs: 20,
});

describe("REDIS with ordered by ioredis conforms", () => {
  const subject: Subject = {
    async open() {
      await flush();
      ahead();
      const client = new Redis6(server.url, { lazyConnect: true, keyPrefix: "p{a:" });
      return kv(redis(client, { ordered: true }), PATIENT);
    },
    runs: 5,
  };
  for (const test of conformance(subject)) it(test.name, test.run);
});

describe("REDIS with ordered", () => {
  const opened: Store[] = [];
  const use = (store: Store): Store => (opened.push(store), store);
  beforeEach(flush);
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  const plain = (options: KvOptions = {}): Store =>
    use(kv(createClient({ url: server.url }), { ...PATIENT, ...options }));
  const ordered = (options: KvOptions = {}): Store => use(open(options));

  const numbered = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `k${String(i).padStart(6, "0")}`);
  const fill = async (store: Store, keys: readonly string[]): Promise<unknown> =>
    store.setMany(keys.map((key) => [key, key]));
  /** Every key of a store, by pages. */
  async function walk(store: Store, limit = 1000, reverse = false): Promise<string[]> {
    const keys: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page: EntryPage = await store.list<Json>({ limit, cursor, reverse });
      keys.push(...page.entries.map(({ key }) => key));
      cursor = page.cursor;
      if (cursor === null) return keys;
    }
  }
  const isComplete = async (): Promise<boolean> => (await raw.zscore(INDEX, "")) === "0";

  it("says that it is ordered", () => {
    expect(ordered().supports.order).toBe(true);
    expect(plain().supports.order).toBe(false);
  });

  it("lists a page with two requests, wherever it is", async () => {
    const store = ordered();
    await fill(store, numbered(5000));
    const { cursor } = await store.list({ limit: 2500 });
    await raw.config("RESETSTAT");
    const page = await store.list({ cursor });
    expect(page.entries.map(({ key }) => key)).toEqual(numbered(2600).slice(2500));
    expect(await store.prefix("k00499").keys()).toEqual([..."0123456789"]);
    const stats = await raw.info("commandstats");
    expect(stats).not.toMatch(/cmdstat_scan:/);
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe("3");
  });

  it("lists existing keys while others write and delete", async () => {
    const keys = numbered(15_000);
    await fill(plain(), keys);
    const [store, other] = [ordered(), ordered()];
    await other.get("a");
    const over = new AbortController();
    const writing = (async () => {
      for (let i = 0; !over.signal.aborted; i++)
        await Promise.all([other.set(`new${i}`, i), other.del(keys[i]!)]);
    })();
    await built(store);
    over.abort();
    await writing;
    const truth = (await plain().keys()).sort();
    expect(await walk(store)).toEqual(truth);
    expect(await store.keys()).toEqual(truth);
  });

  /** Waits for a build that is under way. */
  async function building(): Promise<void> {
    await until("a build has begun", async () => (await raw.exists(`${INDEX}:build`)) === 1);
  }
  const built = (store: Store): Promise<unknown> =>
    eventually(async () => {
      await store.list({ limit: 1 });
      return isComplete();
    }).toBe(true);

  it("goes on with the build of a process that was killed", async () => {
    await fill(plain(), numbered(40_000));
    const script = join(import.meta.dirname, "../../programs/ordered-process.ts");
    const child = spawn(process.execPath, [script, server.url], { stdio: "inherit" });
    await building();
    child.kill("SIGKILL");
    await once(child, "exit");
    const score = await raw.zscore(INDEX, "");
    expect(Number(score)).toBeLessThan(0);
    expect(await raw.zcard(INDEX)).toBeLessThan(40_001);
    const store = ordered();
    expect((await store.list({ limit: 3 })).entries.map(({ key }) => key)).toEqual(numbered(3));
    await built(store);
    expect(await walk(store, 10_000)).toEqual(numbered(40_000));
    expect(await raw.exists(`${INDEX}:build`)).toBe(0);
  });

  it("starts a build anew when the index was deleted in the middle of it", async () => {
    await fill(plain(), numbered(30_000));
    const store = ordered();
    const listing = store.list({ limit: 1 });
    await building();
    await raw.del(INDEX);
    await listing;
    await built(store);
    expect(await walk(store, 10_000)).toEqual(numbered(30_000));
  });

  it("starts at the first key where another server has begun the build", async () => {
    await fill(plain(), numbered(3000));
    await raw.zadd(INDEX, -7, "");
    await raw.set(`${INDEX}:build`, "another-server 3");
    const store = ordered();
    await built(store);
    expect(await walk(store)).toEqual(numbered(3000));
  });

  it.each<[string, () => Promise<unknown>]>([
    ["deleted", () => raw.del(INDEX)],
    ["evicted and written again", () => raw.multi().del(INDEX).zadd(INDEX, 0, "b").exec()],
    ["replaced by a string", () => raw.set(INDEX, "a")],
    ["replaced by a list", () => raw.multi().del(INDEX).lpush(INDEX, "a").exec()],
    ["without its mark", () => raw.zrem(INDEX, "")],
  ])("makes an index anew that was %s", async (_, damage) => {
    const store = ordered();
    await fill(store, ["a", "b", "c"]);
    expect(await walk(store)).toEqual(["a", "b", "c"]);
    await damage();
    expect(await walk(store)).toEqual(["a", "b", "c"]);
    await damage();
    await store.set("d", 1);
    await store.del("a");
    expect(await walk(store, 1)).toEqual(["b", "c", "d"]);
    await damage();
    expect(await store.commit([], [{ key: "e", value: 1 }])).toMatchObject({ ok: true });
    expect(await store.keys()).toEqual(["b", "c", "d", "e"]);
    await raw.flushdb();
    expect(await walk(store)).toEqual([]);
    await store.set("f", 1);
    expect(await walk(store)).toEqual(["f"]);
  });

  it("forgets keys that others have deleted, and lists those of others after prune()", async () => {
    const [store, other] = [ordered(), plain()];
    await fill(store, ["a", "b", "c"]);
    expect(await walk(store)).toEqual(["a", "b", "c"]);
    await raw.del("a");
    await raw.set("b", "not a record");
    await raw.multi().del("c").lpush("c", "1").exec();
    expect(await walk(store)).toEqual([]);
    expect(await raw.zrange(INDEX, 0, -1)).toEqual([""]);
    await other.set("d", 1);
    await raw.zadd(INDEX, 0, "never");
    expect(await store.prune()).toBe(0);
    expect(await walk(store)).toEqual(["d"]);
    expect(await raw.zrange(INDEX, 0, -1)).toEqual(["", "d"]);
  });

  it.each<[string, (store: Store) => Promise<unknown>]>([
    ["set", (store) => store.set("a", 2)],
    ["del", (store) => store.del("a")],
    ["setMany", (store) => store.setMany([["a", 2]])],
    ["commit", (store) => store.commit([], [{ key: "a", value: 2 }])],
  ])("trusts no index that %s finds incomplete", async (name, write) => {
    const [store, other] = [ordered(), plain()];
    await store.set("z", 1);
    expect(await walk(store)).toEqual(["z"]);
    await fill(other, ["a", "b"]);
    await write(store);
    expect(await isComplete()).toBe(false);
    expect(await walk(store)).toEqual(name === "del" ? ["b", "z"] : ["a", "b", "z"]);
    expect(await isComplete()).toBe(true);
  });

  it("keeps few names of records that Redis has removed", async () => {
    const store = ordered();
    await store.set("kept", 1);
    for (let i = 0; i < 30; i++) {
      await store.setMany(
        numbered(100).map((key) => [`${i}${key}`, 1]),
        { expires: 0.001 },
      );
    }
    await eventually(async () => {
      await store.set("a", 1, { expires: 0.001 });
      return (await raw.zcard(INDEX)) < 1000;
    }).toBe(true);
    expect(await walk(store)).toEqual(["kept"]);
  });

  it.each<[string, (store: Store, key: string) => Promise<unknown>]>([
    ["increment", (store, key) => increment(store, key, 1, { expires: 0.001 })],
    ["commit", (store, key) => store.commit([], [{ key, value: 1, expires: 0.001 }])],
    [
      "touch",
      async (store, key) => {
        await store.set(key, 1);
        await store.touch(key, 0.001);
      },
    ],
  ])("keeps few names of records with a deadline by %s", async (_, write) => {
    const store = ordered();
    for (const key of numbered(600)) await write(store, key);
    await eventually(async () => {
      for (let i = 0; i < 64; i++) await write(store, "one");
      return (await raw.zcard(INDEX)) < 300;
    }).toBe(true);
  });

  it("lists while the memory is full", async () => {
    const store = ordered();
    await fill(store, numbered(10));
    await raw.del(INDEX);
    await raw.config("SET", "maxmemory", "1");
    try {
      expect(await walk(store)).toEqual(numbered(10));
      await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_QUOTA" });
      await store.del("k000000");
    } finally {
      await raw.config("SET", "maxmemory", "0");
    }
    expect(await walk(store)).toEqual(numbered(10).slice(1));
    expect(await isComplete()).toBe(true);
  });

  it.each(["abc", "", "x y z", "{run} -1", "{run} abc"])(
    "builds in spite of the progress %j",
    async (text) => {
      await fill(plain(), numbered(1200));
      const run = /run_id:(\w+)/.exec(await raw.info("server"))![1]!;
      await raw.zadd(INDEX, -7, "");
      await raw.set(`${INDEX}:build`, text.replace("{run}", run));
      const store = ordered();
      await built(store);
      expect(await walk(store)).toEqual(numbered(1200));
      await raw.multi().del(INDEX).lpush(`${INDEX}:build`, "a").exec();
      await built(store);
      expect(await walk(store)).toEqual(numbered(1200));
    },
  );

  it("reports no changes of the index", async () => {
    const [store, other] = [ordered(), ordered()];
    await store.list();
    const watch = store.watch({ prefix: "" });
    await watch.ready;
    await other.set("a", 1);
    const { value } = await watch.next();
    expect(value).toMatchObject({ key: "a" });
    await other.del("a");
    expect((await watch.next()).value).toEqual({ key: "a", entry: null });
    await watch.close();
  });

  it("refuses keys that would replace the index", async () => {
    const store = ordered();
    const refused = { code: "KV_INVALID_KEY", client: "REDIS" };
    await expect(store.set(INDEX, 1)).rejects.toMatchObject(refused);
    await expect(store.del(INDEX)).rejects.toMatchObject(refused);
    await expect(store.setMany([[INDEX, 1]])).rejects.toMatchObject(refused);
    await expect(store.commit([], [{ key: INDEX, value: 1 }])).rejects.toMatchObject(refused);
    await store.set("a", 1);
    await expect(store.get(INDEX)).rejects.toMatchObject({ code: "KV_FOREIGN" });
  });

  it("lists any keys in the order of their bytes, under any prefix, both ways", async () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "\0", "[", "(", "+", "-", "\uffff", "🎉", "\u{10ffff}", "é", "{"),
      minLength: 1,
      maxLength: 4,
    });
    const store = ordered();
    const check = async (keys: string[], prefix: string, limit: number): Promise<void> => {
      await store.clear();
      await fill(store, keys);
      const under = store.prefix(prefix);
      const expected = keys
        .filter((key) => key.startsWith(prefix) && key !== prefix)
        .map((key) => key.slice(prefix.length))
        .sort(compareKeys);
      expect(await walk(under, limit)).toEqual(expected);
      expect(await walk(under, limit, true)).toEqual(expected.reverse());
      expect((await under.keys()).sort(compareKeys).reverse()).toEqual(expected);
    };
    await check(["é".repeat(1000), "z".repeat(2000), "a"], "", 1);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(text, { maxLength: 12 }),
        fc.oneof(text, fc.constant("")),
        fc.integer({ min: 1, max: 5 }),
        check,
      ),
      { numRuns: runs(100) },
    );
  });

  it("counts and writes while two stores delete: the index has the stored keys", async () => {
    const [one, two] = [ordered(), ordered()];
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom("set", "del", "setMany", "commit", "dated"),
            fc.constantFrom(..."abcdefgh"),
            fc.boolean(),
          ),
          { maxLength: 40 },
        ),
        async (steps) => {
          await Promise.all(
            steps.map(async ([name, key, isOne]) => {
              const store = isOne ? one : two;
              if (name === "set") await store.set(key, 1);
              else if (name === "del") await store.del(key);
              else if (name === "setMany")
                await store.setMany([
                  [key, 1],
                  [`${key}2`, null],
                ]);
              else if (name === "dated") await store.set(`${key}2`, 1, { expires: "1h" });
              else await store.commit([{ key, version: null }], [{ key: `${key}3`, value: 1 }]);
            }),
          );
          expect(await walk(one)).toEqual(
            (await raw.keys("*")).filter((key) => key !== INDEX).sort(),
          );
          expect(await raw.zrange(INDEX, 1, -1)).toEqual(await walk(two));
        },
      ),
      { numRuns: runs(60) },
    );
  });
});
