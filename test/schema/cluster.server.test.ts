import { Cluster } from "ioredis";
import { createCluster, createSentinel } from "redis";
import { createCluster as createCluster4 } from "redis4";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisClient } from "../../src/clients/redis/index.ts";
import kv from "../../src/index.ts";
import { redisCluster, type RedisGroup, redisSentinel } from "../support/redis-server.ts";
import { appsOn, CHANGES, fieldOf, KINDS, SAMPLES, valueOf } from "../suites/schema/app.ts";
import { PATIENT } from "../support/patient.ts";

let cluster: RedisGroup;
let sentinel: Awaited<ReturnType<typeof redisSentinel>>;
beforeAll(
  async () => void ([cluster, sentinel] = await Promise.all([redisCluster(), redisSentinel()])),
);
afterAll(() => Promise.all([cluster.remove(), sentinel.remove()]));

const addresses = (): { host: string; port: number }[] =>
  cluster.ports.map((port) => ({ host: "127.0.0.1", port }));
const CLIENTS: { readonly [name: string]: () => RedisClient } = {
  "a cluster by node-redis 6": () =>
    createCluster({ rootNodes: cluster.url.split(",").map((url) => ({ url })) }),
  "a cluster by node-redis 4": () =>
    createCluster4({ rootNodes: cluster.url.split(",").map((url) => ({ url })) }),
  "a cluster by ioredis 5": () => new Cluster(addresses()),
  "sentinels by node-redis 6": () =>
    createSentinel({
      name: "main",
      sentinelRootNodes: sentinel.sentinels.map((port) => ({ host: "127.0.0.1", port })),
    }),
};

describe.each(Object.entries(CLIENTS))("typed stores over %s", (_name, open) => {
  it("behave as in memory", async () => {
    const store = kv(open(), PATIENT);
    const [apps, others] = [appsOn(store), appsOn()];
    const names = ["a", "b", "c", "d"];
    for (const name of names) {
      for (const kind of KINDS) {
        for (const work of [SAMPLES[kind], CHANGES[kind]])
          expect(await work(apps.take(name)), kind).toEqual(await work(others.take(name)));
        expect(await valueOf(apps.take(name), kind), kind).toEqual(
          await valueOf(others.take(name), kind),
        );
      }
    }
    // In slots of several servers.
    const sets = names.map((name) => apps.take(name).take("set"));
    await sets[1]!.remove("a");
    await sets[3]!.write(["c", "x"]);
    expect([...(await sets[0]!.intersect(...sets.slice(1)))]).toEqual(["c"]);
    expect([(await apps.keys()).sort(), (await apps.take("c").keys()).sort()]).toEqual([
      names,
      [...KINDS].sort(),
    ]);
    await apps.take("c").erase();
    expect([
      (await apps.keys()).sort(),
      await apps.take("c").exists(),
      await fieldOf(apps.take("b"), "sorted").exists(),
    ]).toEqual([["a", "b", "d"], false, true]);
    await apps.erase();
    expect([await apps.exists(), await store.keys()]).toEqual([false, []]);
    await store.close();
  });
});
