import { openKv } from "@deno/kv";
import { Etcd3 } from "etcd3";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { place } from "../support/disk.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import { jepsen, transfersInProcesses } from "../support/jepsen.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";

const redis = await redisServer();
let etcd: EtcdServer;
let postgres: PostgresServer;
beforeAll(async () => {
  [etcd, postgres] = await Promise.all([etcdServer(), postgresServer(), redis.start()]);
});
afterAll(
  async () => void (await Promise.all([redis, etcd, postgres].map((server) => server.remove()))),
);

/** Several stores with a connection each, over what is empty at first. */
async function several(open: () => unknown): Promise<Store[]> {
  const stores = await Promise.all(
    Array.from({ length: 3 }, async () => kv((await open()) as never, { timeout: "2s" })),
  );
  await stores[0]!.clear();
  return stores;
}

/** Ends a server as a crash does, and starts it again. */
const restart =
  (server: { kill(): Promise<unknown>; start(): Promise<unknown> }) => async (): Promise<void> => {
    await server.kill();
    await server.start();
  };

jepsen("REDIS", {
  open: () => several(() => createClient({ url: redis.url })),
  processes: (store) => transfersInProcesses("REDIS", redis.url, store),
});
jepsen("ETCD", {
  open: () => several(() => new Etcd3({ hosts: etcd.url })),
  processes: (store) => transfersInProcesses("ETCD", etcd.url, store, restart(etcd)),
});
jepsen("POSTGRES", {
  open: () => several(() => new pg.Pool({ connectionString: postgres.url, max: 2 })),
  processes: (store) => transfersInProcesses("POSTGRES", postgres.url, store, restart(postgres)),
});

const file = `${place()}/deno`;
jepsen("DENO by @deno/kv", {
  open: () => several(() => openKv(file)),
  times: 15,
  processes: (store) => transfersInProcesses("DENO", file, store),
});
