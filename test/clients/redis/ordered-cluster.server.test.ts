import { Cluster as Cluster6 } from "ioredis6";
import { createCluster } from "redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { redis, type RedisClient } from "../../../src/clients/redis/index.ts";
import { slotOf } from "../../../src/clients/redis/slot.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv, { type KvOptions, type Store } from "../../../src/index.ts";
import { newest } from "../../support/redis-clients.ts";
import {
  ask,
  masterOf,
  moveSlot,
  onMasters,
  redisCluster,
  type RedisGroup,
} from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";
import { isFull } from "../../support/runs.ts";

let cluster: RedisGroup;
beforeAll(async () => void (cluster = await redisCluster()));
afterAll(() => cluster.remove());

const flush = (): Promise<unknown> =>
  onMasters(cluster, (port) => ask(port, (client) => client.flushall()));

const CLIENTS: { readonly [name: string]: () => RedisClient } = {
  "node-redis 6": () =>
    createCluster({ rootNodes: cluster.url.split(",").map((url) => ({ url })) }),
  "ioredis 6": () =>
    new Cluster6(
      cluster.ports.map((port) => ({ host: "127.0.0.1", port })),
      { lazyConnect: true },
    ),
};

const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

describe.each(newest(CLIENTS))("REDIS with ordered on a cluster by %s", (name, make) => {
  const open = (options: KvOptions = {}): Store => {
    const store = kv(redis(make(), { ordered: true }), { ...PATIENT, ...options });
    stores.push(store);
    return store;
  };

  // Both send the same scripts: one of them is enough for each statement.
  const tests = isFull || name === "node-redis 6" ? conformance : () => [];
  for (const test of tests({
    async open() {
      await flush();
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
      return open({ prefix: "{one slot}:" });
    },
    runs: 3,
  }))
    it(test.name, test.run);

  const numbered = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `k${String(i).padStart(6, "0")}`);
  const firstOf = async (store: Store, limit: number): Promise<string[]> =>
    (await store.list({ limit })).entries.map(({ key }) => key);

  it("lists a prefix with a hash tag without a pass over all keys", async () => {
    await flush();
    const before = kv(make(), { ...PATIENT, prefix: "{app}:" });
    stores.push(before);
    // More than are read as a whole.
    await before.setMany(numbered(12_000).map((key) => [key, 1]));
    const store = open();
    const app = store.prefix("{app}:");
    await store.setMany(numbered(100).map((key) => [key, 1]));
    for (let isComplete = false; !isComplete;) {
      expect(await firstOf(app, 3)).toEqual(numbered(3));
      isComplete = (await scores("app")) === "0";
    }
    expect(await app.keys()).toEqual(numbered(12_000));
    await onMasters(cluster, (port) => ask(port, (client) => client.config("RESETSTAT")));
    expect(await firstOf(app, 100)).toEqual(numbered(100));
    expect(await app.prefix("k00001").keys()).toEqual([..."0123456789"]);
    const stats = await onMasters(cluster, (port) =>
      ask(port, (client) => client.info("commandstats")),
    );
    expect(stats.join()).not.toContain("cmdstat_scan:");
    expect(await firstOf(store, 100)).toEqual(numbered(100));
    await store.clear();
    expect(await firstOf(store, 1)).toEqual([]);
    expect(await firstOf(app, 1)).toEqual([]);
  });

  /** The mark of the index that has the keys with a hash tag. */
  async function scores(tag: string): Promise<string | null | undefined> {
    const port = await masterOf(cluster, slotOf(`{${tag}}`));
    return ask(port, async (client) => {
      // The progress of a build has a name of its own behind that of the index.
      for (const index of await client.keys("anykv:order:*}"))
        if (slotOf(index) === slotOf(`{${tag}}`)) return client.zscore(index, "");
      return undefined;
    });
  }

  it("keeps the order of a slot that moves", async () => {
    await flush();
    const store = open({ prefix: "{moving}:" });
    await store.setMany(numbered(50).map((key) => [key, 1]));
    expect(await firstOf(store, 2)).toEqual(numbered(2));
    const slot = slotOf("{moving}");
    const from = await masterOf(cluster, slot);
    const to = (await onMasters(cluster, async (port) => port)).find((port) => port !== from)!;
    await moveSlot(cluster, slot, from, to);
    await store.del("k000000");
    await store.set("l", 1);
    expect(await scores("moving")).toBe("0");
    expect(await firstOf(store, 100)).toEqual([...numbered(50).slice(1), "l"]);
  });
});
