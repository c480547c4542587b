import { Etcd3 } from "etcd3";
import pg from "pg";
import { afterAll, beforeAll, describe } from "vitest";
import { http } from "../../src/clients/http/index.ts";
import { type KvServer, serve } from "../../src/http/index.ts";
import kv, { type Client } from "../../src/index.ts";
import { etcdServer } from "../helpers/etcd-server.ts";
import { halfOpen } from "../helpers/half-open.ts";
import { postgresServer } from "../helpers/postgres-server.ts";
import { CLIENTS } from "../helpers/redis-clients.ts";
import { redisServer } from "../helpers/redis-server.ts";

const portOf = (url: string): number => Number(new URL(url).port);

describe("Redis", async () => {
  const server = await redisServer();
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  for (const [name, client] of Object.entries(CLIENTS)) {
    halfOpen({
      name,
      port: () => portOf(server.url),
      open: (port, options) => kv(client(`redis://127.0.0.1:${port}`) as Client, options),
    });
  }
});

describe("Postgres", async () => {
  const server = await postgresServer();
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  halfOpen({
    name: "a Pool of pg",
    port: () => portOf(server.url),
    open(port, options) {
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
    port: () => portOf(server.url),
    open: (port, options) => kv(new Etcd3({ hosts: `http://127.0.0.1:${port}` }), options),
  });

  // Without the option, clients of one address share their connections.
  const others: Etcd3[] = [];
  afterAll(() => others.forEach((other) => other.close()));
  halfOpen({
    name: "etcd3 beside another client, with connections of its own",
    port: () => portOf(server.url),
    async open(port, options) {
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
    port: () => portOf(server.url),
    open: (port, options) => kv(http(`http://127.0.0.1:${port}`, { token }), options),
  });
});
