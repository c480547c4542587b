// The servers of npm start: those that a URL is given for, else those that are installed, started for the while and removed again.
import process from "node:process";
import { etcdServer } from "../test/helpers/etcd-server.ts";
import { postgresServer } from "../test/helpers/postgres-server.ts";
import { redisServer } from "../test/helpers/redis-server.ts";

/** A client over a server, and how to be done with what was started for it. */
export interface Opened {
  readonly client: unknown;
  end(): Promise<unknown>;
}

interface Startable {
  readonly url: string;
  start(): Promise<unknown>;
  remove(): Promise<unknown>;
}

async function urlOf(variable: string, make: () => Promise<Startable>): Promise<{ url: string; end(): Promise<unknown> }> {
  const given = process.env[variable];
  if (given !== undefined) return { url: given, end: async () => undefined };
  const server = await make();
  await server.start();
  return { url: server.url, end: () => server.remove() };
}

/** By the name that the table shows. */
export const servers: { readonly [name: string]: () => Promise<Opened> } = {
  async Redis() {
    const { url, end } = await urlOf("REDIS_URL", redisServer);
    const { createClient } = await import("redis");
    return { client: createClient({ url }), end };
  },
  async etcd() {
    const { url, end } = await urlOf("ETCD_URL", etcdServer);
    const { Etcd3 } = await import("etcd3");
    return { client: new Etcd3({ hosts: url.split(",") }), end };
  },
  async Postgres() {
    const { url, end } = await urlOf("DATABASE_URL", postgresServer);
    const { default: pg } = await import("pg");
    return { client: new pg.Pool({ connectionString: url }), end };
  },
  async "Workers KV (workerd)"() {
    const { Miniflare } = await import("miniflare");
    const worker = new Miniflare({ modules: true, script: "export default {}", kvNamespaces: ["KV"] });
    return { client: await worker.getKVNamespace("KV"), end: () => worker.dispose() };
  },
};
