import fc from "fast-check";
import { Cluster } from "ioredis";
import { Cluster as Cluster6 } from "ioredis6";
import { createCluster } from "redis";
import { createCluster as createCluster4 } from "redis4";
import { createCluster as createCluster5 } from "redis5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisClient } from "../../../src/clients/redis/index.ts";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import kv, { type KvOptions, type Store } from "../../../src/index.ts";
import { slotOf } from "../../../src/clients/redis/slot.ts";
import { until } from "../../support/daemon.ts";
import { incrementInTwoProcesses, under200Writers } from "../../support/outages.ts";
import { newest } from "../../support/redis-clients.ts";
import { isFull } from "../../support/runs.ts";
import {
  ask,
  masterOf,
  moveSlot,
  onMasters,
  redisCluster,
  type RedisGroup,
  slotsOf,
} from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";

let cluster: RedisGroup;
beforeAll(async () => void (cluster = await redisCluster()));
afterAll(() => cluster.remove());

const urls = (): { url: string }[] => cluster.url.split(",").map((url) => ({ url }));
const addresses = (): { host: string; port: number }[] =>
  cluster.ports.map((port) => ({ host: "127.0.0.1", port }));

const CLIENTS: { readonly [name: string]: () => RedisClient } = {
  "node-redis 6": () => createCluster({ rootNodes: urls() }),
  "node-redis 5": () => createCluster5({ rootNodes: urls() }),
  "node-redis 4": () => createCluster4({ rootNodes: urls() }),
  "ioredis 5": () => new Cluster(addresses()),
  "ioredis 6": () => new Cluster6(addresses(), { lazyConnect: true }),
};

const everywhere = <T>(work: (port: number) => Promise<T>): Promise<T[]> =>
  onMasters(cluster, work);
const flush = (): Promise<unknown> =>
  everywhere((port) => ask(port, (client) => client.flushall()));

const stores: Store[] = [];
const open = (name: string, options: KvOptions = {}): Store => {
  const store = kv(CLIENTS[name]!(), { ...PATIENT, ...options });
  stores.push(store);
  return store;
};
afterAll(async () => void (await Promise.allSettled(stores.map((store) => store.close()))));

describe.each(newest(CLIENTS))("REDIS on a cluster by %s", (name, make) => {
  // All keys of a commit have to be in one slot: the prefix sees to that.
  const subject: Subject = {
    async open() {
      await flush();
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
      return kv(make(), { ...PATIENT, prefix: "{one slot}:" });
    },
    runs: 5,
  };
  const isTried = isFull || name === "node-redis 6";
  for (const test of isTried ? conformance(subject) : []) it(test.name, test.run);

  it("reads, writes and lists over all masters", async () => {
    await flush();
    const store = open(name);
    const keys = Array.from({ length: 3000 }, (_, i) => `key ${i}`);
    await store.setMany(
      keys.map((key) => [key, key]),
      { expires: "1h" },
    );
    const sizes = await everywhere((port) => ask(port, (client) => client.dbsize()));
    expect(sizes.every((size) => size > 800)).toBe(true);
    expect(await store.getMany([...keys].reverse())).toEqual([...keys].reverse());
    expect((await store.keys()).sort()).toEqual([...keys].sort());
    expect((await store.entries()).sort()).toEqual(keys.map((key) => [key, key]).sort());
    expect((await store.list({ limit: 10 })).entries.map(({ key }) => key)).toEqual(
      [...keys].sort().slice(0, 10),
    );
    await store.delMany(keys.slice(10));
    expect((await store.prefix("key ").keys()).sort()).toEqual(
      keys.slice(0, 10).map((key) => key.slice(4)),
    );
    expect(await store.touch(keys[0]!, "2h")).toBe(true);
    await store.prefix("key ").clear();
    expect(await everywhere((port) => ask(port, (client) => client.dbsize()))).toEqual([0, 0, 0]);
  });

  it("commits in one slot, and refuses several before anything is sent", async () => {
    await flush();
    const store = open(name);
    const [a, b] = [store.prefix("{user:1}:"), store.prefix("{user:2}:")];
    expect(
      await store.commit(
        [{ key: "{user:1}:a", version: null }],
        [
          { key: "{user:1}:b", value: 1 },
          { key: "x{user:1}y", value: 2 },
        ],
      ),
    ).toMatchObject({ ok: true });
    expect([await a.get("b"), await store.get("x{user:1}y")]).toEqual([1, 2]);
    expect(await store.commit([], [{ key: "alone", value: 1 }])).toMatchObject({ ok: true });
    const stats = (): Promise<string[]> =>
      everywhere((port) =>
        ask(
          port,
          async (client) =>
            /cmdstat_(?:evalsha|eval|set):calls=\d+/.exec(await client.info("commandstats"))?.[0] ??
            "",
        ),
      );
    const before = await stats();
    const refused = store.commit(
      [{ key: "{user:1}:b", version: null }],
      [{ key: "{user:2}:b", value: 1 }],
    );
    await expect(refused).rejects.toMatchObject({
      code: "KV_CROSS_SLOT",
      client: "REDIS",
      message: expect.stringContaining('"{user:1}:"'),
    });
    await expect(
      store.commit(
        [],
        [
          { key: "a", value: 1 },
          { key: "b", value: 1 },
        ],
      ),
    ).rejects.toMatchObject({ code: "KV_CROSS_SLOT" });
    expect(await stats()).toEqual(before);
    expect(await b.get("b")).toBe(null);
  });

  it("lists keys that stay while their slot moves to a master that was listed before", async () => {
    await flush();
    const store = open(name, { prefix: "moving:" });
    const portOf = await slotsOf(cluster);
    const at = (key: string): number => portOf(slotOf(`moving:${key}`));
    // Besides many others, some keys of one slot on each master.
    const tags = new Map(Array.from({ length: 50 }, (_, i) => [at(`{${i}}`), `{${i}}`]));
    expect(tags.size).toBe(3);
    const keys = [
      ...Array.from({ length: 6000 }, (_, i) => `${i}`),
      ...[...tags.values()].flatMap((tag) => Array.from({ length: 20 }, (_, i) => `${tag}${i}`)),
    ];
    await store.setMany(keys.map((key) => [key, 1]));
    const seen: string[] = [];
    for await (const [key] of store) {
      // The first master was passed, the last is still to come.
      if (seen.push(key) !== 2500) continue;
      const passed = at(seen[0]!);
      const begun = new Set(seen.map(at));
      const coming = [...tags.keys()].find((port) => !begun.has(port))!;
      await moveSlot(cluster, slotOf(`moving:${tags.get(coming)!}`), coming, passed);
    }
    expect(seen.length).toBe(new Set(seen).size);
    expect(seen.sort()).toEqual(keys.sort());
    await store.clear();
    expect(await store.keys()).toEqual([]);
  });
});

describe("REDIS on a cluster", () => {
  it("knows the slot of every key", async () => {
    const key = fc.string({
      unit: fc.constantFrom("{", "}", "a", "é", "🎉", "\0", "{a}"),
      minLength: 1,
    });
    const keys = fc.sample(key, 1000);
    const slots = await ask(cluster.ports[0]!, (client) =>
      Promise.all(keys.map((each) => client.cluster("KEYSLOT", each))),
    );
    expect(keys.map(slotOf)).toEqual(slots);
  });

  it.each(["ioredis 5", "ioredis 6", "node-redis 6"])(
    "reads from masters, which know the latest, also where %s would read from replicas",
    async (name) => {
      const clients: { readonly [name: string]: () => RedisClient } = {
        "ioredis 5": () => new Cluster(addresses(), { scaleReads: "slave" }),
        "ioredis 6": () => new Cluster6(addresses(), { scaleReads: "slave" }),
        "node-redis 6": () => createCluster({ rootNodes: urls(), useReplicas: true }),
      };
      const store = kv(clients[name]!());
      stores.push(store);
      await store.set("a", 1);
      for (const port of cluster.ports) await ask(port, (client) => client.config("RESETSTAT"));
      for (let i = 0; i < 50; i++) {
        await store.set(`k${i}`, i);
        expect([
          await store.get(`k${i}`),
          await store.has(`k${i}`),
          await store.getMany([`k${i}`]),
        ]).toEqual([i, true, [i]]);
      }
      await store.clear();
      const masters = new Set(await everywhere(async (port) => port));
      for (const port of cluster.ports.filter((each) => !masters.has(each))) {
        expect(await ask(port, (client) => client.info("commandstats"))).not.toMatch(
          /cmdstat_(get|mget|getrange|scan|evalsha):/,
        );
      }
    },
  );

  it("raises a number in two processes", async () => {
    await incrementInTwoProcesses("REDIS CLUSTER", cluster.url, open("node-redis 6"));
  });

  // Versions 4 and 5 do not look for another master by themselves: they go on once the old one
  // answers.
  const waits = (name: string): boolean => /[45]$/.test(name) && name.startsWith("node-redis");

  it.each(newest(CLIENTS))(
    "loses a master under 200 operations by %s, and goes on",
    async (name) => {
      await flush();
      const store = open(name, { timeout: "2s", prefix: "outage:" });
      await store.set("first", 1);
      const slot = slotOf("outage:first");
      const old = await masterOf(cluster, slot);
      const start = performance.now();
      async function recovered(): Promise<void> {
        await until(
          "its replica has taken over",
          async () => (await masterOf(cluster, slot, old)) !== old,
        );
        const after = performance.now();
        if (waits(name)) await cluster.at(old).start();
        await until("all slots can be written again", () =>
          store.setMany(Array.from({ length: 300 }, (_, i) => [`${i}`, i])).then(
            () => true,
            () => false,
          ),
        );
        console.log(
          `the replica took over after ${((after - start) / 1000).toFixed(1)} s, ` +
            `${name} went on ${((performance.now() - after) / 1000).toFixed(1)} s later`,
        );
      }
      try {
        const { refused } = await under200Writers(
          `REDIS on a cluster by ${name}`,
          store,
          () => cluster.at(old).kill(),
          recovered,
        );
        expect(refused).toBeGreaterThan(0);
        expect((await store.keys()).length).toBeGreaterThan(299);
      } finally {
        if (!waits(name)) await cluster.at(old).start();
        await until("the old master follows the new one", () =>
          ask(old, async (client) =>
            /master_link_status:up/.test(await client.info("replication")),
          ).catch(() => false),
        );
      }
    },
  );
});
