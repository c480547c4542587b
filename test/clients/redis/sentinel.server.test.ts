import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createSentinel } from "redis";
import { createSentinel as createSentinel5 } from "redis5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisClient } from "../../../src/clients/redis/index.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { until } from "../../support/daemon.ts";
import { under200Writers } from "../../support/outages.ts";
import { newest } from "../../support/redis-clients.ts";
import { isFull } from "../../support/runs.ts";
import { ask, redisSentinel } from "../../support/redis-server.ts";
import { PATIENT } from "../../support/patient.ts";

let group: Awaited<ReturnType<typeof redisSentinel>>;
beforeAll(async () => void (group = await redisSentinel()));
afterAll(() => group.remove());

const nodes = (): { host: string; port: number }[] =>
  group.sentinels.map((port) => ({ host: "127.0.0.1", port }));

const CLIENTS: { readonly [name: string]: () => RedisClient } = {
  "node-redis 6": () => createSentinel({ name: "main", sentinelRootNodes: nodes() }),
  "node-redis 5": () => createSentinel5({ name: "main", sentinelRootNodes: nodes() }),
  "ioredis 5": () => new Redis({ name: "main", sentinels: nodes() }),
  "ioredis 6": () => new Redis6({ name: "main", sentinels: nodes(), lazyConnect: true }),
};

/**
 * Waits until the sentinels know of a replica that is up to date: without one they do not fail
 * over.
 */
async function settled(): Promise<void> {
  for (const port of group.sentinels) {
    await until(`sentinel ${port} knows a replica`, () =>
      ask(port, async (client) => {
        const [replica] = (await client.call("SENTINEL", "REPLICAS", "main")) as string[][];
        return (
          replica !== undefined &&
          replica[replica.indexOf("flags") + 1] === "slave" &&
          replica[replica.indexOf("master-link-status") + 1] === "ok"
        );
      }),
    );
  }
}

describe.each(newest(CLIENTS))("REDIS behind sentinels by %s", (name, make) => {
  const reduced = {
    async open() {
      await ask(await group.master(), (client) => client.flushall());
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
      return kv(make(), PATIENT);
    },
    runs: 5,
  };
  // One library is enough to show that a client behind sentinels is one like any other.
  const isTried = isFull || name === "node-redis 6";
  for (const test of isTried ? conformance(reduced) : []) it(test.name, test.run);

  it("adds one listener, however many stores there are", async () => {
    const client = make() as RedisClient & { listenerCount(event: string): number };
    const before = client.listenerCount("error");
    const stores = Array.from({ length: 5 }, () => kv(client));
    await Promise.all(stores.map((store) => store.set("a", 1)));
    for (const store of stores) await store.get("a");
    expect(client.listenerCount("error")).toBe(before + 1);
    await stores[0]!.close();
  });
});

it.each(["node-redis 6", "ioredis 6"])(
  "loses the master under 200 operations by %s, and goes on with the next one",
  async (name) => {
    await settled();
    const store = kv(CLIENTS[name]!(), { timeout: "2s" });
    await store.set("first", 1, { expires: "1h" });
    const old = await group.master();
    await until("the replica has it", () =>
      ask(
        group.ports.find((port) => port !== old)!,
        async (client) => (await client.exists("first")) === 1,
      ),
    );
    const start = performance.now();
    const { refused } = await under200Writers(
      `REDIS behind sentinels by ${name}`,
      store,
      () => group.at(old).kill(),
      () => until("another master is named", async () => (await group.master()) !== old),
    );
    expect(refused).toBeGreaterThan(0);
    console.log(
      `${name} went on ${((performance.now() - start) / 1000).toFixed(1)} s after the beginning`,
    );
    expect(await store.get("first")).toBe(1);
    expect((await store.keys()).length).toBeGreaterThan(1);
    await store.clear();
    expect(await store.keys()).toEqual([]);
    await store.close();
    await group.at(old).start();
  },
);

it("names no sentinel that is there: every operation ends", async () => {
  const store = kv(
    createSentinel({ name: "main", sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] }),
    { timeout: "500ms" },
  );
  await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CONNECTION" });
  await expect(store.set("a", 1)).rejects.toMatchObject({ code: "KV_CONNECTION" });
  await store.close().catch(() => undefined);
});
