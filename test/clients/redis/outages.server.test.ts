import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient, createClientPool } from "redis";
import { createClient as createClient4 } from "redis4";
import { createClientPool as createClientPool5 } from "redis5";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RedisClient } from "../../../src/clients/redis/index.ts";
import kv, { type Client } from "../../../src/index.ts";
import { until } from "../../support/daemon.ts";
import { incrementInTwoProcesses, outages } from "../../support/outages.ts";
import { CLIENTS, newest } from "../../support/redis-clients.ts";
import { ask, redisServer } from "../../support/redis-server.ts";

const server = await redisServer();
beforeAll(() => server.start());
// A test that fails may leave the server down.
beforeEach(() => server.start());
afterAll(() => server.remove());

const common = {
  url: server.url,
  start: () => server.start(),
  kill: () => server.kill(),
  // Nothing is kept on a disk.
  wipe: async () => undefined,
  pause: () => server.pause(),
  resume: () => server.resume(),
  isDurable: false,
};
// The server has no such user. (Its only one has no password: any would do.)
const secret = "hunter2-hunter2";

outages({
  ...common,
  name: "REDIS",
  open: (options) => kv(createClient({ url: server.url }), options),
  wrong: {
    open: (options) =>
      kv(createClient({ url: server.url, username: "nobody", password: secret }), options),
    secret,
  },
});
outages({ ...common, name: "IOREDIS", open: (options) => kv(new Redis(server.url), options) });

const WRONG: { readonly [name: string]: () => object } = {
  "node-redis 6": () => createClient({ url: server.url, username: "nobody", password: secret }),
  "node-redis 4": () => createClient4({ url: server.url, username: "nobody", password: secret }),
  "a pool of node-redis 6": () =>
    createClientPool({ url: server.url, username: "nobody", password: secret }),
  "ioredis 5": () => new Redis(server.url, { username: "nobody", password: secret }),
  "ioredis 6": () => new Redis6(server.url, { username: "nobody", password: secret }),
  "ioredis 5, lazy": () =>
    new Redis(server.url, { username: "nobody", password: secret, lazyConnect: true }),
};

describe.each(Object.entries(WRONG))("a wrong password for %s", (_, make) => {
  it("rejects at once, with the message of the server", async () => {
    // Without a timeout: nobody else ends what hangs.
    const store = kv(make() as Client, { timeout: 0 });
    for (const operation of [() => store.get("a"), () => store.set("a", 1), () => store.keys()]) {
      const error = await operation().then(
        () => null,
        (error: Error) => error,
      );
      expect(error).toMatchObject({
        code: "KV_CONNECTION",
        cause: { message: expect.stringContaining("WRONGPASS") },
      });
      expect(
        `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`,
      ).not.toContain(secret);
    }
    await store.close();
  });
});

describe.each(newest(CLIENTS))("%s without a server", (_, make) => {
  it("rejects with the cause, and works once the server is there", async () => {
    await server.kill();
    const store = kv(make(server.url), { timeout: "3s" });
    const failed = await store.get("a").then(
      () => null,
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: "KV_CONNECTION" });
    expect(JSON.stringify(failed, ["cause", "code", "message"])).toMatch(/ECONNREFUSED|closed/);
    await server.start();
    await until("the store works", () =>
      store.set("a", 1).then(
        () => true,
        () => false,
      ),
    );
    expect(await store.get("a")).toBe(1);
    await store.close();
  });

  it("that was connected when kv() got it may lose it before the first operation", async () => {
    const client = make(server.url) as RedisClient & {
      status?: string;
      isReady?: boolean;
      isOpen?: boolean;
      listenerCount(event: string): number;
    };
    const before = client.listenerCount("error");
    if (client.status === "connecting")
      await until("it is connected", () => client.status === "ready");
    else await client.connect();
    const store = kv(client, { timeout: "500ms" });
    expect(client.listenerCount("error")).toBe(before + 1);
    await server.kill();
    // A pool does not say.
    await until(
      "the client knows",
      () => (client.status ?? client.isReady ?? false) !== "ready" && client.isReady !== true,
    );
    await sleep(100);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await server.start();
    await until("the store works", () =>
      store.set("a", 1).then(
        () => true,
        () => false,
      ),
    );
    expect([await store.get("a"), client.listenerCount("error")]).toEqual([1, before + 1]);
    await store.close();
  });
});

describe.each(["node-redis 6", "node-redis 4", "ioredis 5"])(
  "%s that has lost its server",
  (name) => {
    it("does not keep refused records", async () => {
      const client = CLIENTS[name]!(server.url) as RedisClient & {
        isReady?: boolean;
        status?: string;
      };
      const store = kv(client, { timeout: "1s" });
      await store.set("late", "before");
      await server.kill();
      await until("the client knows", () => !(client.isReady ?? client.status === "ready"));
      // Far more than a client would ever queue, each of them refused.
      const outcomes = await Promise.all(
        Array.from({ length: 500 }, () =>
          store.set("late", "refused").then(
            () => "ok",
            (error) => error.code as string,
          ),
        ),
      );
      expect(new Set(outcomes)).toEqual(new Set(["KV_CONNECTION"]));
      await server.start();
      await until("the store works", () =>
        store.set("works", 1).then(
          () => true,
          () => false,
        ),
      );
      expect(await store.get("late")).toBe(null);
      expect(
        await ask(
          server.port,
          async (client) => /cmdstat_set:calls=(\d+)/.exec(await client.info("commandstats"))?.[1],
        ),
      ).toMatch(/^\d$/);
      await store.close();
    });

    it("waits as long as its callers do, and then names the cause", async () => {
      const client = CLIENTS[name]!(server.url) as RedisClient & {
        isReady?: boolean;
        status?: string;
      };
      const [hasty, patient, endless] = [
        kv(client, { timeout: "300ms" }),
        kv(client, { timeout: "20s" }),
        kv(client, { timeout: 0 }),
      ];
      await endless.set("a", 0);
      await server.kill();
      await until("the client knows", () => !(client.isReady ?? client.status === "ready"));
      const ended: string[] = [];
      const work = [patient, endless].flatMap((store, i) => [
        store.set(`s${i}`, i),
        store.commit([{ key: `c${i}`, version: null }], [{ key: `c${i}`, value: i }]),
        store.touch("x", "1h"),
        store.keys(),
        store.getMany(["a"]),
      ]);
      for (const each of work)
        each.then(
          () => ended.push("done"),
          (error) => ended.push(error.code as string),
        );
      const refused = await Promise.all(
        [
          hasty.set("b", "late"),
          hasty.commit([], [{ key: "c", value: "late" }]),
          hasty.getMany(["d"]),
        ].map((each) =>
          each.then(
            () => null,
            (error) => error as Error,
          ),
        ),
      );
      for (const error of refused)
        expect(error).toMatchObject({
          code: "KV_CONNECTION",
          cause: { message: expect.stringMatching(/ECONNREFUSED|not connected|closed/i) },
        });
      // Longer than the default timeout.
      await sleep(5500);
      expect(ended).toEqual([]);
      await server.start();
      await Promise.all(work);
      expect(await endless.getMany(["s0", "s1", "c0", "c1", "a"])).toEqual([0, 1, 0, 1, null]);
      await endless.close();
    });
  },
);

describe("a server that is silent when its store is closed", () => {
  it.each(["REDIS", "IOREDIS"])("holds neither the store nor the program (%s)", async (name) => {
    const script = join(import.meta.dirname, "../../programs/server-process.ts");
    const child = spawn(process.execPath, [script, "leave", name, server.url], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await until("the program has a connection", () => output === "stop\n");
    server.pause();
    try {
      child.stdin.write("go\n");
      expect(await once(child, "close")).toEqual([0, null]);
    } finally {
      server.resume();
    }
    expect(output).toMatch(/^stop\nclose done\nget KV_C(LOSED|ONNECTION)\n$/);
  });
});

describe("a pool of node-redis 5 that is closed while the server is silent", () => {
  it("throws nothing afterwards", async () => {
    const pool = createClientPool5(
      { url: server.url },
      { cleanupDelay: 20, minimum: 1, maximum: 10 },
    );
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on("uncaughtException", note);
    const store = kv(pool);
    await store.set("a", 1);
    server.pause();
    try {
      const work = Array.from({ length: 5 }, () =>
        pool
          .execute((client) => client.ping())
          .then(
            () => "done",
            (error: Error) => error.message,
          ),
      );
      await until("all are under way", () => pool.clientsInUse === 5);
      await store.close();
      expect(await Promise.all(work)).not.toContain("done");
      // The connections come back one by one, those that were being made last.
      await until("all connections came back", () => pool.idleClients >= 4);
      await sleep(100);
      expect(uncaught).toEqual([]);
    } finally {
      server.resume();
      process.off("uncaughtException", note);
    }
  });
});

describe("two processes", () => {
  it.each(["REDIS", "IOREDIS"])("raise a number by %s", async (name) => {
    const store = kv(createClient({ url: server.url }));
    await incrementInTwoProcesses(name, server.url, store);
    await store.close();
  });
});
