import { Etcd3 } from "etcd3";
import { Cluster } from "ioredis";
import pg from "pg";
import { createCluster } from "redis";
import { afterAll, beforeAll, describe } from "vitest";
import { http } from "../../src/clients/http/index.ts";
import { type KvServer, serve } from "../../src/http/index.ts";
import kv, { type Client } from "../../src/index.ts";
import { etcdServer } from "../support/etcd-server.ts";
import { halfOpen } from "../support/half-open.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { CLIENTS } from "../support/redis-clients.ts";
import { redisCluster, redisServer } from "../support/redis-server.ts";

const portOf = (url: string): number => Number(new URL(url).port);

describe("Redis", async () => {
  const server = await redisServer();
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  for (const [name, client] of Object.entries(CLIENTS)) {
    halfOpen({
      name,
      ports: () => [portOf(server.url)],
      open: ([port], options) => kv(client(`redis://127.0.0.1:${port}`) as Client, options),
    });
  }
});

describe("a Redis cluster", async () => {
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

describe("Postgres", async () => {
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

describe("etcd", async () => {
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

describe("HTTP", () => {
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
