import { Etcd3 } from "etcd3";
import type { Miniflare } from "miniflare";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkersKv } from "../../src/clients/cloudflare/index.ts";
import kv from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import {
  NAMESPACE_CASES,
  NAMESPACE_DIFFERENCES,
  type NamespaceCase,
} from "../suites/namespace-cases.ts";
import { namespaceSuite } from "../suites/namespace-suite.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { ask, redisServer } from "../support/redis-server.ts";
import { startWorkerd } from "../support/workerd.ts";
import { bundle } from "../support/workerd-bundle.ts";
import { emptied, type RawKv } from "../support/workerd-raw.ts";

const redis = await redisServer();
let etcd: EtcdServer;
let postgres: PostgresServer;
let admin: InstanceType<typeof pg.Client>;
let workerd: Miniflare;
let binding: WorkersKv & RawKv;
beforeAll(async () => {
  const started = async (): Promise<Miniflare> =>
    startWorkerd(await bundle("namespace-worker.ts", ["workerd", "worker", "browser"]));
  [etcd, postgres, workerd] = await Promise.all([
    etcdServer(),
    postgresServer(),
    started(),
    redis.start(),
  ]);
  admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  binding = (await workerd.getKVNamespace("KV")) as unknown as WorkersKv & RawKv;
});
afterAll(async () => {
  await admin.end();
  await Promise.all([
    workerd.dispose(),
    ...[redis, etcd, postgres].map((server) => server.remove()),
  ]);
});

const cases: readonly NamespaceCase[] = [...NAMESPACE_CASES, ...NAMESPACE_DIFFERENCES];

/** What a case sees in the worker: on its binding, or on a namespace of this library. */
async function inWorker(on: "binding" | "ours", index: number): Promise<unknown> {
  const response = await workerd.dispatchFetch(`http://worker/?on=${on}&index=${index}`);
  expect(response.status).toBe(200);
  return response.json();
}
const plain = (seen: unknown): unknown => JSON.parse(JSON.stringify(seen));
const inNode = async ({ run }: NamespaceCase): Promise<unknown> =>
  plain(await run(namespace(kv(new Map()), "cases", { compat: "workers" }) as never));

describe("a namespace with the rules of Workers KV is as a binding in workerd", () => {
  for (const [index, each] of NAMESPACE_CASES.entries()) {
    it(each.name, async () => {
      const theirs = await inWorker("binding", index);
      expect(await inNode(each)).toEqual(theirs);
      expect(await inWorker("ours", index)).toEqual({ storage: "MEMORY", seen: theirs });
    });
  }
});

describe("a namespace with the rules of Workers KV differs on purpose", () => {
  for (const each of NAMESPACE_DIFFERENCES) {
    it(each.name, async () => {
      expect(await inWorker("binding", cases.indexOf(each))).toEqual(each.theirs);
      expect(await inNode(each)).toEqual(each.ours);
    });
  }
});

// Without a timeout: a machine that is busy takes its time for 25 MiB.
namespaceSuite(
  "REDIS",
  async () => (
    await ask(redis.port, (client) => client.flushall()),
    kv(createClient({ url: redis.url }), { timeout: 0 })
  ),
);
// A record there has at most 1.5 MB.
namespaceSuite(
  "ETCD",
  async () => (
    await new Etcd3({ hosts: etcd.url }).delete().all(),
    kv(new Etcd3({ hosts: etcd.url }), { timeout: 0 })
  ),
  { valueBytes: 1_000_000 },
);
namespaceSuite(
  "POSTGRES",
  async () => (
    await admin.query("DROP TABLE IF EXISTS kv"),
    kv(new pg.Pool({ connectionString: postgres.url, max: 4 }), { timeout: 0 })
  ),
);
// As base64 a value of 25 MiB is too large for it.
namespaceSuite("CLOUDFLARE", async () => kv(await emptied(binding), { timeout: 0 }), {
  valueBytes: 18 * 1024 * 1024,
});
