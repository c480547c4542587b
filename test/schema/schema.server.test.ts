import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { ask, redisServer } from "../support/redis-server.ts";
import { schemaSuite } from "../suites/schema-suite.ts";
import { PATIENT } from "../support/patient.ts";
import { isFull } from "../support/runs.ts";

const redis = await redisServer();
let etcd: EtcdServer;
let postgres: PostgresServer;
let admin: InstanceType<typeof pg.Client>;
beforeAll(async () => {
  [etcd, postgres] = await Promise.all([etcdServer(), postgresServer(), redis.start()]);
  admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await Promise.all([redis, etcd, postgres].map((server) => server.remove()));
});

const emptied = async (store: () => Store): Promise<Store> => (
  await ask(redis.port, (client) => client.flushall()),
  store()
);
const overRedis = (): Store => kv(createClient({ url: redis.url }), PATIENT);
schemaSuite("REDIS by node-redis", () => emptied(overRedis), { another: overRedis });
const overIoredis = (): Store => kv(new Redis(redis.url, { keyPrefix: "their:" }), PATIENT);
if (isFull) schemaSuite("REDIS by ioredis", () => emptied(overIoredis), { another: overIoredis });

const overEtcd = (): Store => kv(new Etcd3({ hosts: etcd.url }), PATIENT);
schemaSuite("ETCD", async () => (await new Etcd3({ hosts: etcd.url }).delete().all(), overEtcd()), {
  another: overEtcd,
  large: 1_000_000,
});

const overPostgres = (): Store =>
  kv(new pg.Pool({ connectionString: postgres.url, max: 4 }), PATIENT);
schemaSuite(
  "POSTGRES",
  async () => (await admin.query("DROP TABLE IF EXISTS kv"), overPostgres()),
  { another: overPostgres },
);
