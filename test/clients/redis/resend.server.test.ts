import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster6, Redis as Redis6 } from "ioredis6";
import { createCluster, createSentinel } from "redis";
import { createCluster as createCluster4 } from "redis4";
import { createCluster as createCluster5, createSentinel as createSentinel5 } from "redis5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisClient } from "../../../src/clients/redis/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { slotOf } from "../../../src/clients/redis/slot.ts";
import { type CuttingProxy, cuttingProxy } from "../../support/cutting-proxy.ts";
import { until } from "../../support/daemon.ts";
import { incrementInTwoProcesses } from "../../support/outages.ts";
import { CLIENTS } from "../../support/redis-clients.ts";
import { isFull } from "../../support/runs.ts";
import {
  ask,
  masterOf,
  redisCluster,
  redisSentinel,
  redisServer,
} from "../../support/redis-server.ts";

const SLOT = slotOf("{s}");

/** What `work` ends with when the answer to its script is lost. */
async function cutting(
  proxy: CuttingProxy,
  work: () => Promise<unknown>,
  meanwhile?: () => Promise<unknown>,
  text = "EVALSHA",
): Promise<unknown> {
  const cut = proxy.cut(text, { meanwhile });
  const outcome = await work().then(
    (result) => result,
    (error) => error.code as string,
  );
  await cut;
  return outcome;
}

/** A store over a client whose answers can be lost, and one beside it. */
interface Subject {
  readonly proxy: CuttingProxy;
  readonly store: Store;
  readonly direct: Store;
}

function behaves(name: string, resends: boolean, subject: () => Promise<Subject>): void {
  it(`never says of a commit that was made that it was not (${name})`, async () => {
    const { proxy, store, direct } = await subject();
    const entry = async (key: string): Promise<{ version: string | null }> => {
      await until("the store works", () =>
        store.get(key).then(
          () => true,
          () => false,
        ),
      );
      return (await store.entry(key))!;
    };
    // A cluster gives up where it cannot learn the slots in time.
    const outcomes = (version: string | null): unknown[] => [
      ...(resends ? [{ ok: true, version }] : []),
      ...(resends && !name.includes("cluster") ? [] : ["KV_CONNECTION"]),
    ];
    // The script is known, and every connection is there.
    await direct.set("{s}n", 0);
    await store.set("{s}job", 1);
    expect(
      await store.commit([{ key: "{s}x", version: null }], [{ key: "{s}x", value: 1 }]),
    ).toMatchObject({ ok: true });
    expect(
      await store.commit([{ key: "{s}x", version: null }], [{ key: "{s}x", value: 1 }]),
    ).toEqual({ ok: false, failed: ["{s}x"] });

    // A job is taken: nothing is left of what was written.
    const job = await entry("{s}job");
    expect(
      await cutting(proxy, () =>
        store.commit([{ key: "{s}job", version: job.version }], [{ key: "{s}job", value: null }]),
      ),
    ).toBe("KV_CONNECTION");
    expect(await direct.has("{s}job")).toBe(false);

    // A number is raised, and by somebody else once more in between.
    const { version } = await entry("{s}n");
    const raised = await cutting(
      proxy,
      () => store.commit([{ key: "{s}n", version }], [{ key: "{s}n", value: 1 }]),
      async () => {
        await direct.commit(
          [{ key: "{s}n", version: (await direct.entry("{s}n"))!.version }],
          [{ key: "{s}n", value: 2 }],
        );
      },
    );
    expect([raised, await direct.get("{s}n")]).toEqual(["KV_CONNECTION", 2]);

    // What was written is still there: it was made.
    const before = await entry("{s}n");
    const made = await cutting(proxy, () =>
      store.commit([{ key: "{s}n", version: before.version }], [{ key: "{s}n", value: 3 }]),
    );
    expect(outcomes((await direct.entry("{s}n"))!.version)).toContainEqual(made);

    // The same of a record that was absent, which takes no script.
    const fresh = (key: string, meanwhile?: () => Promise<unknown>): Promise<unknown> =>
      cutting(
        proxy,
        () => store.commit([{ key, version: null }], [{ key, value: 1 }]),
        meanwhile,
        "NX",
      );
    const added = await fresh("{s}new");
    expect(outcomes((await direct.entry("{s}new"))!.version)).toContainEqual(added);
    await entry("{s}new");
    expect(await fresh("{s}taken", () => direct.set("{s}taken", 2))).toBe("KV_CONNECTION");
    expect(await direct.get("{s}taken")).toBe(2);

    // Foreign by now, or refused for want of memory: the same.
    const last = await entry("{s}n");
    const foreign = await cutting(
      proxy,
      () => store.commit([{ key: "{s}n", version: last.version }], [{ key: "{s}n", value: 4 }]),
      async () => {
        await direct.del("{s}n");
        await direct.set("{s}n", 5);
      },
    );
    expect(foreign).toBe("KV_CONNECTION");
    await entry("{s}n");
    expect(
      await store.commit([{ key: "{s}n", version: last.version }], [{ key: "{s}n", value: 6 }]),
    ).toEqual({ ok: false, failed: ["{s}n"] });
    await store.close();
    await direct.close();
  });
}

describe("an answer is lost", () => {
  const server = redisServer();
  let proxy: CuttingProxy;
  beforeAll(async () => {
    await (await server).start();
    proxy = await cuttingProxy((await server).port);
  });
  afterAll(async () => {
    await proxy.remove();
    await (await server).remove();
  });

  for (const [name, make] of Object.entries(CLIENTS)) {
    behaves(name, name.startsWith("ioredis"), async () => {
      await ask((await server).port, (client) => client.flushall());
      return { proxy, store: kv(make(proxy.url)), direct: kv(new Redis((await server).url)) };
    });
  }

  it.each(["IOREDIS", "REDIS"])(
    "raises a number in two processes whose answers are lost now and then (%s)",
    async (name) => {
      const store = kv(new Redis((await server).url));
      const times = isFull ? 500 : 150;
      let cuts = 0;
      const over = new AbortController();
      const losing = async (sum: () => Promise<number>): Promise<void> => {
        void (async () => {
          for (; !over.signal.aborted; cuts++)
            await proxy.cut("EVALSHA", { nth: isFull ? 20 : 10 });
        })();
        while ((await sum()) < 2 * times) await sleep(10);
        over.abort();
      };
      await incrementInTwoProcesses(name, proxy.url, store, times, losing);
      expect(cuts).toBeGreaterThan(isFull ? 20 : 10);
      await store.close();
    },
  );

  it("does not deny a write when the memory is full on the second try (ioredis 5)", async () => {
    const { url, port } = await server;
    await ask(port, (client) => client.flushall());
    const store = kv(CLIENTS["ioredis 5"]!(proxy.url));
    await store.commit([], [{ key: "a", value: 0 }]);
    const config = (memory: string) => (): Promise<unknown> =>
      ask(port, (client) => client.config("SET", "maxmemory", memory));
    try {
      expect(
        await cutting(proxy, () => store.commit([], [{ key: "a", value: 1 }]), config("1")),
      ).toBe("KV_CONNECTION");
    } finally {
      await config("0")();
    }
    const direct = kv(new Redis(url));
    expect(await direct.get("a")).toBe(1);
    await direct.close();
    await store.close();
  });
});

describe("an answer of a cluster is lost", () => {
  let cluster: Awaited<ReturnType<typeof redisCluster>>;
  let proxies: Map<number, CuttingProxy>;
  beforeAll(async () => {
    cluster = await redisCluster();
    proxies = new Map(
      await Promise.all(
        cluster.ports.map(async (port) => [port, await cuttingProxy(port)] as const),
      ),
    );
  });
  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.remove()));
    await cluster.remove();
  });

  const addresses = (): { host: string; port: number }[] =>
    [...proxies.values()].map(({ port }) => ({ host: "127.0.0.1", port }));
  const map = (): { [address: string]: { host: string; port: number } } =>
    Object.fromEntries(
      [...proxies].map(([port, proxy]) => [
        `127.0.0.1:${port}`,
        { host: "127.0.0.1", port: proxy.port },
      ]),
    );
  const rootNodes = (): { url: string }[] => [...proxies.values()].map(({ url }) => ({ url }));
  const clients: { readonly [name: string]: () => RedisClient } = {
    "a cluster of node-redis 6": () =>
      createCluster({ rootNodes: rootNodes(), nodeAddressMap: map() }),
    "a cluster of node-redis 5": () =>
      createCluster5({ rootNodes: rootNodes(), nodeAddressMap: map() }),
    "a cluster of node-redis 4": () =>
      createCluster4({ rootNodes: rootNodes(), nodeAddressMap: map() }),
    "a cluster of ioredis 5": () => new Cluster(addresses(), { natMap: map() }),
    "a cluster of ioredis 6": () => new Cluster6(addresses(), { natMap: map(), lazyConnect: true }),
  };
  for (const [name, make] of Object.entries(clients)) {
    behaves(name, name.includes("ioredis"), async () => {
      const port = await masterOf(cluster, SLOT);
      await ask(port, (client) => client.flushall());
      return {
        proxy: proxies.get(port)!,
        store: kv(make()),
        direct: kv(
          createCluster({
            rootNodes: cluster.ports.map((each) => ({ url: `redis://127.0.0.1:${each}` })),
          }),
        ),
      };
    });
  }
});

describe("an answer of a server behind sentinels is lost", () => {
  let group: Awaited<ReturnType<typeof redisSentinel>>;
  let proxies: Map<number, CuttingProxy>;
  beforeAll(async () => {
    group = await redisSentinel();
    proxies = new Map(
      await Promise.all(group.ports.map(async (port) => [port, await cuttingProxy(port)] as const)),
    );
  });
  afterAll(async () => {
    await Promise.all([...proxies.values()].map((proxy) => proxy.remove()));
    await group.remove();
  });

  const nodes = (): { host: string; port: number }[] =>
    group.sentinels.map((port) => ({ host: "127.0.0.1", port }));
  const map = (): { [address: string]: { host: string; port: number } } =>
    Object.fromEntries(
      [...proxies].map(([port, proxy]) => [
        `127.0.0.1:${port}`,
        { host: "127.0.0.1", port: proxy.port },
      ]),
    );
  const clients: { readonly [name: string]: () => RedisClient } = {
    "node-redis 6 with sentinels": () =>
      createSentinel({ name: "main", sentinelRootNodes: nodes(), nodeAddressMap: map() }),
    "node-redis 5 with sentinels": () =>
      createSentinel5({ name: "main", sentinelRootNodes: nodes(), nodeAddressMap: map() }),
    "ioredis 5 with sentinels": () =>
      new Redis({ name: "main", sentinels: nodes(), natMap: map() }),
    "ioredis 6 with sentinels": () =>
      new Redis6({ name: "main", sentinels: nodes(), natMap: map(), lazyConnect: true }),
  };
  for (const [name, make] of Object.entries(clients)) {
    behaves(name, true, async () => {
      const port = await group.master();
      await ask(port, (client) => client.flushall());
      return {
        proxy: proxies.get(port)!,
        store: kv(make()),
        direct: kv(new Redis(port, "127.0.0.1")),
      };
    });
  }
});
