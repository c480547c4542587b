import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hit, increment } from "../../src/atomic/index.ts";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { place } from "../support/disk.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import { openClient } from "../support/open-client.ts";
import { PATIENT } from "../support/patient.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";
import { hitCases } from "../suites/hits.ts";

const redis = await redisServer();
const [etcd, postgres]: [EtcdServer, PostgresServer] = await Promise.all([
  etcdServer(),
  postgresServer(),
]);
await redis.start();
const stores = {
  redis: kv(createClient({ url: redis.url }), PATIENT),
  etcd: kv(new Etcd3({ hosts: etcd.url }), PATIENT),
  postgres: kv(new pg.Pool({ connectionString: postgres.url, max: 3 }), PATIENT),
};
const ioredis = new Redis(redis.url, { lazyConnect: true, keyPrefix: "io:" });
beforeAll(() => stores.redis.clear());
afterAll(async () => {
  await Promise.all([...Object.values(stores).map((store) => store.close()), ioredis.quit()]);
  await Promise.all([redis, etcd, postgres].map((server) => server.remove()));
});

hitCases("REDIS", { open: () => stores.redis, place: redis.url });
hitCases("REDIS by ioredis with a keyPrefix", { open: () => kv(ioredis, PATIENT) });
hitCases("REDIS by a store in a promise", {
  open: () => kv(Promise.resolve(stores.redis.prefix("inner:")) as never) as unknown as Store,
});
hitCases("ETCD", { open: () => stores.etcd, place: etcd.url });
hitCases("POSTGRES", { open: () => stores.postgres, place: postgres.url });
for (const client of ["SQLITE", "FILE"] as const) {
  const folder = place();
  hitCases(client, {
    open: async () => kv((await openClient(client, folder)) as never, PATIENT),
    place: folder,
  });
}

describe("counting on Redis", () => {
  it("keeps the call order of many counts at once, and of writes between them", async () => {
    const store = stores.redis.prefix("order:");
    const counts = Array.from({ length: 30 }, () => hit(store, "a", "1m"));
    const set = store.set("a", 100, { expires: "1m" });
    const after = [hit(store, "a", "1m"), increment(store, "a")];
    const read = store.get("a");
    expect((await Promise.all(counts)).map(({ count }) => count)).toEqual(
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    await set;
    expect([((await after[0]) as { count: number }).count, await after[1]]).toEqual([101, 102]);
    expect(await read).toBe(102);
  });

  it("is one command, and sets the native deadline", async () => {
    const client = createClient({ url: redis.url });
    const store = kv(client, { ...PATIENT, prefix: "one:" });
    const { resetAt } = await hit(store, "a", "1m");
    await increment(store, "b");
    const commands = async (): Promise<number> =>
      Number(/total_commands_processed:(\d+)/.exec(await client.info("stats"))![1]);
    const before = await commands();
    for (let i = 0; i < 5; i++) {
      await hit(store, "a", "1m");
      await increment(store, "b");
    }
    // Each script is counted with the commands inside it; INFO itself is one.
    const evals = (await client.info("commandstats")).match(/cmdstat_evalsha:calls=(\d+)/)!;
    expect(Number(evals[1])).toBeGreaterThanOrEqual(10);
    expect((await commands()) - before).toBeLessThanOrEqual(10 * 4 + 2);
    expect(await client.pExpireTime("one:a")).toBe(resetAt);
    expect(await client.pExpireTime("one:b")).toBe(-1);
    await store.close();
  });

  it("rejects an item that this library did not write, and leaves it", async () => {
    const client = createClient({ url: redis.url });
    const store = kv(client, { ...PATIENT, prefix: "foreign:" });
    await store.get("a");
    await client.set("foreign:a", "5");
    await client.rPush("foreign:b", "5");
    for (const key of ["a", "b"])
      await expect(hit(store, key, "1m")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    expect(await client.get("foreign:a")).toBe("5");
    await store.close();
  });

  it("goes through the codec of a store", async () => {
    const store = kv(createClient({ url: redis.url }), { ...PATIENT, codec: rich });
    expect((await hit(store, "rich", "1m")).count).toBe(1);
    expect((await hit(store, "rich", "1m", 4)).count).toBe(5);
    expect(await store.get("rich")).toBe(5);
    await store.close();
  });

  it("counts a call once that ioredis sends again because the answer was lost", async () => {
    const proxy = await cuttingProxy(redis.port);
    const store = kv(new Redis(proxy.url, { lazyConnect: true }), { ...PATIENT, prefix: "lost:" });
    const first = await hit(store, "a", "1m");
    let cut = proxy.cut("EVALSHA");
    expect(await hit(store, "a", "1m")).toEqual({ ...first, count: 2 });
    await cut;
    // Another hit in between hides whether the first sending was counted.
    cut = proxy.cut("EVALSHA", {
      meanwhile: async () => void (await hit(stores.redis.prefix("lost:"), "a", "1m")),
    });
    await expect(hit(store, "a", "1m")).rejects.toMatchObject({ code: "KV_CONNECTION" });
    await cut;
    await store.close();
    await proxy.remove();
  });

  it("is reported to the watches of this process and of others", async () => {
    const other = kv(createClient({ url: redis.url }), { ...PATIENT, prefix: "watch:" });
    const store = stores.redis.prefix("watch:");
    const watches = [store.watch("a"), other.watch("a")];
    await Promise.all(watches.map(({ ready }) => ready));
    const { resetAt } = await hit(store, "a", "1m", 3);
    for (const watch of watches)
      expect((await watch.next()).value).toMatchObject({
        key: "a",
        entry: { value: 3, expires: resetAt },
      });
    await Promise.all(watches.map((watch) => watch.close()));
    await other.close();
  });

  it("keeps the call order", async () => {
    const store = stores.redis.prefix("order:");
    const results = await Promise.all([
      store.set("a", 10),
      increment(store, "a"),
      store.get("a"),
      hit(store, "a", "1m", 2),
      store.del("a"),
      hit(store, "a", "1m"),
      store.get("a"),
    ]);
    expect(results.map((result) => Object(result).count ?? result)).toEqual([
      ...["a", 11, 11, 13, "a", 1, 1],
    ]);
  });
});
