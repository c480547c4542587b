/**
 * How the tests open a client of each server, by a name and a URL (several with commas between).
 */
export const SERVERS: { readonly [name: string]: (url: string) => Promise<unknown> } = {
  REDIS: async (url) => (await import("redis")).createClient({ url }),
  "REDIS CLUSTER": async (url) =>
    (await import("redis")).createCluster({
      rootNodes: url.split(",").map((each) => ({ url: each })),
    }),
  IOREDIS: async (url) => new (await import("ioredis")).Redis(url, { lazyConnect: true }),
  ETCD: async (url) => new (await import("etcd3")).Etcd3({ hosts: url.split(",") }),
  POSTGRES: async (url) => new (await import("pg")).default.Pool({ connectionString: url }),
  "POSTGRES CLIENT": async (url) =>
    new (await import("pg")).default.Client({ connectionString: url }),
};

/** The client of that name. @throws for a name that is not listed. */
export async function openServer(name: string, url: string): Promise<unknown> {
  const open = SERVERS[name];
  if (open === undefined) throw new Error(`no server is called ${name}`);
  return open(url);
}
