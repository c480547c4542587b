import { Cluster } from "ioredis";
import { createCluster } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import kv from "../../../src/index.ts";
import { watchesOtherProcesses } from "../../suites/watching.ts";
import { CLIENTS } from "../../support/redis-clients.ts";
import { ask, redisCluster, type RedisGroup, redisServer } from "../../support/redis-server.ts";

const server = await redisServer();
let cluster: RedisGroup;
beforeAll(async () => {
  [cluster] = await Promise.all([redisCluster(), server.start()]);
});
afterAll(() => Promise.all([server.remove(), cluster.remove()]));

describe.each(Object.entries(CLIENTS))("watching over %s", (client, open) => {
  watchesOtherProcesses({
    name: "REDIS",
    where: () => server.url,
    open: () => open(server.url),
    isShort: !client.endsWith(" 6"),
  });
});

describe.each([
  [
    "node-redis 6",
    () => createCluster({ rootNodes: cluster.url.split(",").map((url) => ({ url })) }),
  ],
  ["ioredis 5", () => new Cluster(cluster.ports.map((port) => ({ host: "127.0.0.1", port })))],
])("watching over a cluster by %s", (client, open) => {
  watchesOtherProcesses({
    name: "REDIS CLUSTER",
    where: () => cluster.url,
    open,
    isShort: client !== "node-redis 6",
  });
});

describe.each([
  ["node-redis 6", CLIENTS["node-redis 6"]!],
  ["ioredis 5", CLIENTS["ioredis 5"]!],
])("the watch's connection of %s", (_name, open) => {
  it("is one for a thousand watches, and none after the last", async () => {
    const store = kv(open(server.url));
    const trackers = (): Promise<number> =>
      ask(server.port, async (client) => {
        const list = String(await client.call("CLIENT", "LIST"));
        return list.split("\n").filter((line) => / flags=[A-Za-z]*t/.test(line)).length;
      });
    expect(await trackers()).toBe(0);
    const watches = Array.from({ length: 1000 }, (_, i) => store.watch(`k${i}`));
    await Promise.all(watches.map(({ ready }) => ready));
    expect(await trackers()).toBe(1);
    await Promise.all(watches.map((watch) => watch.close()));
    await expect.poll(trackers).toBe(0);
    await store.close();
  });

  it("is made again after it was killed, and nothing is missed", async () => {
    const [store, writer] = [kv(open(server.url)), kv(open(server.url))];
    await writer.delMany(["a", "p:1"]);
    const key = store.watch("a");
    const prefix = store.watch({ prefix: "p:" });
    await Promise.all([key.ready, prefix.ready]);
    const changes = [key.next(), prefix.next()];
    await ask(server.port, (client) => client.call("CLIENT", "KILL", "TYPE", "pubsub"));
    await writer.set("a", 1);
    await writer.set("p:1", 1);
    const found = (await Promise.all(changes)).map(({ value }) => value!.key);
    expect(found).toEqual(["a", "p:1"]);
    await Promise.all([store.close(), writer.close()]);
  });

  it("goes on after the server was paused for three seconds", async () => {
    const [store, writer] = [kv(open(server.url)), kv(open(server.url))];
    await writer.del("a");
    const watch = store.watch("a");
    await watch.ready;
    const change = watch.next();
    await server.pause();
    const write = writer.set("a", 2);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    server.resume();
    await write;
    expect((await change).value!.entry!.value).toBe(2);
    await Promise.all([store.close(), writer.close()]);
  });
});
