import { openKv } from "@deno/kv";
import { Etcd3 } from "etcd3";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll } from "vitest";
import kv from "../../src/index.ts";
import { versioned, type VersionedStore } from "../../src/versioned/index.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { ask, redisServer } from "../support/redis-server.ts";
import { indexSuite } from "../suites/versioned/indexes.ts";
import { versionedSuite } from "../suites/versioned-suite.ts";
import { PATIENT } from "../support/patient.ts";

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

const overRedis = (): VersionedStore => versioned(kv(createClient({ url: redis.url }), PATIENT));
versionedSuite(
  "REDIS",
  async () => (await ask(redis.port, (client) => client.flushall()), overRedis()),
  { another: overRedis },
);

const overEtcd = (): VersionedStore => versioned(kv(new Etcd3({ hosts: etcd.url }), PATIENT));
versionedSuite(
  "ETCD",
  async () => (await new Etcd3({ hosts: etcd.url }).delete().all(), overEtcd()),
  { another: overEtcd },
);

const overPostgres = (): VersionedStore =>
  versioned(kv(new pg.Pool({ connectionString: postgres.url, max: 4 }), PATIENT));
versionedSuite(
  "POSTGRES",
  async () => (await admin.query("DROP TABLE IF EXISTS kv"), overPostgres()),
  { another: overPostgres, keyBytes: 1300 },
);

versionedSuite("DENO by @deno/kv", async () => versioned(kv(await openKv(":memory:"), PATIENT)), {
  keyBytes: 1000,
  checks: 10,
});

indexSuite(
  "ETCD",
  async () => (
    await new Etcd3({ hosts: etcd.url }).delete().all(),
    kv(new Etcd3({ hosts: etcd.url }), PATIENT)
  ),
  () => kv(new Etcd3({ hosts: etcd.url }), PATIENT),
);
const pool = (): InstanceType<typeof pg.Pool> =>
  new pg.Pool({ connectionString: postgres.url, max: 4 });
indexSuite(
  "POSTGRES",
  async () => (await admin.query("DROP TABLE IF EXISTS kv"), kv(pool(), PATIENT)),
  () => kv(pool(), PATIENT),
);
indexSuite(
  "REDIS",
  async () => (
    await ask(redis.port, (client) => client.flushall()),
    kv(createClient({ url: redis.url }), PATIENT)
  ),
  () => kv(createClient({ url: redis.url }), PATIENT),
);
