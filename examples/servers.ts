// The servers, for npm start: the one that a URL names, or else one that is started for the tour.
import process from "node:process";
import kv, { type Client as KvClient } from "anykv";
import { type Client, tour } from "./tour.ts";

interface Opened {
  readonly client: KvClient;
  end(): Promise<unknown>;
}

interface Startable {
  readonly url: string;
  start(): Promise<unknown>;
  remove(): Promise<unknown>;
}

type Place = { readonly url: string; end(): Promise<unknown> };

async function urlOf(variable: string, make: () => Promise<Startable>): Promise<Place> {
  const given = process.env[variable];
  if (given !== undefined) return { url: given, end: async () => undefined };
  const server = await make();
  await server.start();
  return { url: server.url, end: () => server.remove() };
}

const open: { readonly [name: string]: () => Promise<Opened> } = {
  async Redis() {
    const { url, end } = await urlOf("REDIS_URL", async () => {
      const { redisServer } = await import("../test/support/redis-server.ts");
      return redisServer();
    });
    const { createClient } = await import("redis");
    return { client: createClient({ url }), end };
  },
  async etcd() {
    const { url, end } = await urlOf("ETCD_URL", async () => {
      const { etcdServer } = await import("../test/support/etcd-server.ts");
      return etcdServer();
    });
    const { Etcd3 } = await import("etcd3");
    return { client: new Etcd3({ hosts: url.split(",") }), end };
  },
  async Postgres() {
    const { url, end } = await urlOf("DATABASE_URL", async () => {
      const { postgresServer } = await import("../test/support/postgres-server.ts");
      return postgresServer();
    });
    const { default: pg } = await import("pg");
    return { client: new pg.Pool({ connectionString: url }), end };
  },
  async "Workers KV (workerd)"() {
    const { Miniflare } = await import("miniflare");
    const worker = new Miniflare({
      modules: true,
      script: "export default {}",
      kvNamespaces: ["KV"],
    });
    return { client: await worker.getKVNamespace("KV"), end: () => worker.dispose() };
  },
};

export const servers: readonly Client[] = Object.entries(open).map(([name, openClient]) => ({
  name,
  async tour(packages) {
    const { client, end } = await openClient();
    // Under a prefix: a server that a URL names may hold data of others.
    const store = kv(client, { prefix: "anykv-tour:", timeout: "1m" });
    try {
      return await tour(store, packages);
    } finally {
      await store.close();
      await end();
    }
  },
}));
