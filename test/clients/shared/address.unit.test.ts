import { Etcd3 } from "etcd3";
import { Cluster, Redis } from "ioredis";
import pg from "pg";
import { createClient, createCluster } from "redis";
import { createClient as createClient4 } from "redis4";
import { expect, it } from "vitest";
import { redis } from "../../../src/clients/redis/index.ts";
import kv, { type Client, type KvError } from "../../../src/index.ts";
import { addressOf } from "../../../src/clients/shared/address.ts";
import { freePorts } from "../../support/daemon.ts";

const url = "redis://user:secret@db.example:7000/2";
const connectionString = "postgres://user:secret@db.example:5433/name";

const CLIENTS: [name: string, client: unknown, address: string | undefined][] = [
  ["a node-redis client with a URL", createClient({ url }), "db.example:7000"],
  ["a node-redis 4 client with a URL", createClient4({ url }), "db.example:7000"],
  [
    "a node-redis client with a host",
    createClient({ socket: { host: "::1", port: 7000 } }),
    "[::1]:7000",
  ],
  [
    "a node-redis client with a socket",
    createClient({ socket: { path: "/run/redis.sock", tls: false } as never }),
    "/run/redis.sock",
  ],
  ["a node-redis client without options", createClient(), undefined],
  ["a node-redis cluster", createCluster({ rootNodes: [{ url }] }), undefined],
  ["an ioredis client with a URL", new Redis(url, { lazyConnect: true }), "db.example:7000"],
  ["an ioredis client without options", new Redis({ lazyConnect: true }), "localhost:6379"],
  [
    "an ioredis client with sentinels",
    new Redis({
      sentinels: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
      ],
      name: "m",
      lazyConnect: true,
    }),
    "a:1, b:2",
  ],
  [
    "an ioredis cluster",
    new Cluster([{ host: "a", port: 1 }, "redis://:secret@b:2"], { lazyConnect: true }),
    "a:1, b:2",
  ],
  ["a pg Pool with a URL", new pg.Pool({ connectionString }), "db.example:5433"],
  ["a pg Pool with a host", new pg.Pool({ host: "db.example", port: 5433 }), "db.example:5433"],
  ["a pg Pool without options", new pg.Pool(), undefined],
  ["a pg Client", new pg.Client({ connectionString }), "db.example:5433"],
  ["etcd with a host", new Etcd3({ hosts: "127.0.0.1:2379" }), "127.0.0.1:2379"],
  [
    "etcd with hosts",
    new Etcd3({ hosts: ["http://user:secret@a:1", "b:2", "c:3", "d:4"] }),
    "a:1, b:2, c:3",
  ],
  ["a namespace of etcd", new Etcd3({ hosts: "a:1" }).namespace("x"), "a:1"],
];

for (const [name, client, address] of CLIENTS) {
  it(`tells host and port of ${name}, and no password`, () => {
    expect(addressOf(client)).toBe(address);
  });
}

it("takes a node-redis client without options for one of localhost", () => {
  expect(redis(createClient()).address).toBe("localhost:6379");
  expect(redis(createCluster({ rootNodes: [{ url }] })).address).toBe(undefined);
});

const UNREACHABLE: { readonly [name: string]: (port: number) => object } = {
  "node-redis": (port) => createClient({ url: `redis://user:secret@127.0.0.1:${port}` }),
  ioredis: (port) => new Redis({ host: "127.0.0.1", port, password: "secret", lazyConnect: true }),
  pg: (port) => new pg.Pool({ connectionString: `postgres://user:secret@127.0.0.1:${port}/name` }),
  etcd3: (port) => new Etcd3({ hosts: `127.0.0.1:${port}` }),
};

for (const [name, open] of Object.entries(UNREACHABLE)) {
  it(`names the server that ${name} cannot reach`, async () => {
    const [port] = await freePorts(1);
    for (const client of [open(port!), Promise.resolve(open(port!))]) {
      const store = kv(client as Client, { timeout: "2s" });
      const error = await store.get("a").then(
        () => expect.unreachable(),
        (error: KvError) => error,
      );
      expect(error.code).toBe("KV_CONNECTION");
      expect(error.message).toContain(`(127.0.0.1:${port})`);
      expect(error.message).not.toContain("secret");
      await store.close();
    }
  });
}
