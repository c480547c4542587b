import { Etcd3 } from "etcd3";
import { Cluster, Redis } from "ioredis";
import pg from "pg";
import { createCluster, createSentinel } from "redis";
import { afterAll, beforeAll, describe } from "vitest";
import { http } from "../../src/clients/http/index.ts";
import { type KvServer, serve } from "../../src/http/index.ts";
import kv, { type Client } from "../../src/index.ts";
import { etcdServer } from "../support/etcd-server.ts";
import { halfOpen } from "../support/half-open.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { CLIENTS, newest } from "../support/redis-clients.ts";
import { redisCluster, redisSentinel, redisServer } from "../support/redis-server.ts";

const portOf = (url: string): number => Number(new URL(url).port);

describe.concurrent("Redis", async () => {
  const server = await redisServer();
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  for (const [name, client] of newest(CLIENTS)) {
    halfOpen({
      name,
      ports: () => [portOf(server.url)],
      open: ([port], options) => kv(client(`redis://127.0.0.1:${port}`) as Client, options),
    });
  }
});

describe.concurrent("a Redis cluster", async () => {
  const cluster = await redisCluster();
  afterAll(() => cluster.remove());
  const addressOf = (ports: readonly number[], port: number): { host: string; port: number } => ({
    host: "127.0.0.1",
    port: ports[cluster.ports.indexOf(port)]!,
  });
  halfOpen({
    name: "a cluster of node-redis 6",
    ports: () => cluster.ports,
    open: (ports, options) =>
      kv(
        createCluster({
          rootNodes: [{ url: `redis://127.0.0.1:${ports[0]}` }],
          nodeAddressMap: (address) => addressOf(ports, Number(address.split(":").at(-1))),
        }) as Client,
        options,
      ),
  });
  halfOpen({
    name: "a cluster of ioredis 5",
    ports: () => cluster.ports,
    open: (ports, options) =>
      kv(
        new Cluster([{ host: "127.0.0.1", port: ports[0]! }], {
          natMap: Object.fromEntries(
            cluster.ports.map((port) => [`127.0.0.1:${port}`, addressOf(ports, port)]),
          ),
        }),
        options,
      ),
  });
});

describe.concurrent("Redis behind sentinels", async () => {
  const group = await redisSentinel();
  afterAll(() => group.remove());
  const real = [...group.ports, ...group.sentinels];
  const addressesOf = (ports: readonly number[]) =>
    Object.fromEntries(
      real.map((port, i) => [`127.0.0.1:${port}`, { host: "127.0.0.1", port: ports[i]! }]),
    );
  const sentinelsOf = (ports: readonly number[]) =>
    ports.slice(group.ports.length).map((port) => ({ host: "127.0.0.1", port }));
  halfOpen({
    name: "ioredis 5 behind sentinels",
    ports: () => real,
    open: (ports, options) =>
      kv(
        new Redis({ name: "main", sentinels: sentinelsOf(ports), natMap: addressesOf(ports) }),
        options,
      ),
  });
  halfOpen({
    name: "node-redis 6 behind sentinels, with a socketTimeout",
    // Requests keep its connections from being silent for that long.
    isQuiet: true,
    ports: () => real,
    open: (ports, options) =>
      kv(
        createSentinel({
          name: "main",
          sentinelRootNodes: sentinelsOf(ports),
          nodeAddressMap: addressesOf(ports),
          nodeClientOptions: { socket: { socketTimeout: 1000 } },
        }) as Client,
        options,
      ),
  });
});

describe.concurrent("Postgres", async () => {
  const server = await postgresServer();
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  halfOpen({
    name: "a Pool of pg",
    ports: () => [portOf(server.url)],
    open([port], options) {
      const url = new URL(server.url);
      url.port = String(port);
      return kv(new pg.Pool({ connectionString: url.href }), options);
    },
  });
});

describe.concurrent("etcd", async () => {
  const server = await etcdServer();
  afterAll(() => server.remove());
  halfOpen({
    name: "etcd3",
    ports: () => [portOf(server.url)],
    open: ([port], options) => kv(new Etcd3({ hosts: `http://127.0.0.1:${port}` }), options),
  });

  // Without the option, clients of one address share their connections.
  const others: Etcd3[] = [];
  afterAll(() => others.forEach((other) => other.close()));
  halfOpen({
    name: "etcd3 beside another client, with connections of its own",
    ports: () => [portOf(server.url)],
    async open([port], options) {
      const connect = (): Etcd3 =>
        new Etcd3({
          hosts: `http://127.0.0.1:${port}`,
          grpcOptions: { "grpc.use_local_subchannel_pool": 1 },
        });
      const other = connect();
      others.push(other);
      await other.get("a");
      return kv(connect(), options);
    },
  });
});

describe.concurrent("HTTP", () => {
  const token = "0123456789abcdef";
  let server: KvServer;
  beforeAll(async () => {
    server = await serve(kv(new Map()), { tokens: [{ token, space: "a" }] });
  });
  afterAll(() => server.close());
  halfOpen({
    name: "http",
    ports: () => [portOf(server.url)],
    open: ([port], options) => kv(http(`http://127.0.0.1:${port}`, { token }), options),
  });
});
