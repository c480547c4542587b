import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { Daemon, freePorts, program, until } from "./daemon.ts";

const server = program("redis-server", "REDIS_SERVER");
const withoutFiles = ["--save", "", "--appendonly", "no"];

/** A Redis server that is not started yet. */
export async function redisServer(...more: string[]): Promise<Daemon & { readonly url: string }> {
  const [port] = await freePorts(1);
  const daemon = new Daemon({
    command: server,
    port: port!,
    args: () => ["--port", `${port}`, "--bind", "127.0.0.1", ...withoutFiles, ...more],
  });
  return Object.assign(daemon, { url: `redis://127.0.0.1:${port}` });
}

/** Several servers as one. */
export interface RedisGroup {
  readonly servers: readonly Daemon[];
  readonly ports: readonly number[];
  /** With commas between, as `open-server.ts` takes them. */
  readonly url: string;
  /** The daemon on a port. */
  at(port: number): Daemon;
  remove(): Promise<void>;
}

function group(servers: readonly Daemon[], ports: readonly number[]): RedisGroup {
  return {
    servers,
    ports,
    url: ports.map((port) => `redis://127.0.0.1:${port}`).join(","),
    at: (port) => servers.find((each) => each.port === port)!,
    remove: async () => void (await Promise.all(servers.map((each) => each.remove()))),
  };
}

/** Does something with a server, over a connection of its own. */
export async function ask<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, "127.0.0.1", {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    client.disconnect();
  }
}

const isUp = (port: number): Promise<boolean> =>
  ask(port, async (client) =>
    /cluster_state:ok/.test((await client.cluster("INFO")) as string),
  ).catch(() => false);

/** Three masters with a replica each, up and running. */
export async function redisCluster(): Promise<RedisGroup> {
  const ports = await freePorts(6);
  const args = (port: number): string[] => [
    ...[
      "--port",
      `${port}`,
      "--bind",
      "127.0.0.1",
      "--cluster-enabled",
      "yes",
      "--cluster-node-timeout",
      "1000",
      "--repl-diskless-sync-delay",
      "0",
      ...withoutFiles,
    ],
  ];
  const servers = ports.map(
    (port) => new Daemon({ command: server, port, args: () => args(port) }),
  );
  await Promise.all(servers.map((each) => each.start()));
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  await promisify(execFile)(program("redis-cli", "REDIS_CLI"), [
    "--cluster",
    "create",
    ...addresses,
    "--cluster-replicas",
    "1",
    "--cluster-yes",
  ]);
  for (const port of ports) await until(`node ${port} is a part of the cluster`, () => isUp(port));
  await until("every master has its replica", () =>
    ask(ports[0]!, async (client) =>
      ((await client.cluster("SLOTS")) as unknown[][]).every((range) => range.length === 4),
    ),
  );
  return group(servers, ports);
}

/** Which port has which slot, as the first of the nodes that answers sees it. */
export async function slotsOf(
  cluster: RedisGroup,
  ...except: number[]
): Promise<(slot: number) => number> {
  for (const port of cluster.ports.filter((each) => !except.includes(each))) {
    const ranges = await ask(
      port,
      async (client) =>
        (await client.cluster("SLOTS")) as unknown as [number, number, [string, number]][],
    ).catch(() => []);
    if (ranges.length > 0)
      return (slot) => ranges.find(([from, to]) => from <= slot && slot <= to)![2][1];
  }
  throw new Error("no node of the cluster answers");
}

/** The port of the master that has a slot. */
export const masterOf = async (
  cluster: RedisGroup,
  slot: number,
  ...except: number[]
): Promise<number> => (await slotsOf(cluster, ...except))(slot);

/** Does something with each master. */
export async function onMasters<T>(
  cluster: RedisGroup,
  work: (port: number) => Promise<T>,
): Promise<T[]> {
  const masters = new Set([
    await masterOf(cluster, 0),
    await masterOf(cluster, 8000),
    await masterOf(cluster, 16383),
  ]);
  return Promise.all([...masters].map(work));
}

/** Moves a slot with its keys from one master to another. */
export async function moveSlot(
  cluster: RedisGroup,
  slot: number,
  from: number,
  to: number,
): Promise<void> {
  const id = (port: number): Promise<string> =>
    ask(port, async (client) => (await client.cluster("MYID")) as unknown as string);
  const [source, target] = [await id(from), await id(to)];
  await ask(to, (client) => client.cluster("SETSLOT", slot, "IMPORTING", source));
  await ask(from, async (client) => {
    await client.cluster("SETSLOT", slot, "MIGRATING", target);
    const keys = await client.cluster("GETKEYSINSLOT", slot, 1000);
    if (keys.length > 0)
      await client.call("MIGRATE", "127.0.0.1", to, "", 0, 5000, "KEYS", ...keys);
  });
  await ask(to, (client) => client.cluster("SETSLOT", slot, "NODE", target));
  await onMasters(cluster, (port) =>
    ask(port, (client) => client.cluster("SETSLOT", slot, "NODE", target)),
  );
  for (const port of cluster.ports)
    await until(
      `node ${port} knows the new master`,
      async () =>
        (await masterOf(cluster, slot, ...cluster.ports.filter((each) => each !== port))) === to,
    );
}

/** A master, a replica, and three sentinels that watch it as "main". */
export async function redisSentinel(): Promise<
  RedisGroup & { readonly sentinels: readonly number[]; master(): Promise<number> }
> {
  const [master, replica, ...sentinels] = (await freePorts(5)) as [number, number, ...number[]];
  const args = (port: number): string[] => [
    "--port",
    `${port}`,
    "--bind",
    "127.0.0.1",
    "--repl-diskless-sync-delay",
    "0",
    ...withoutFiles,
  ];
  const servers = [
    new Daemon({ command: server, port: master, args: () => args(master) }),
    new Daemon({
      command: server,
      port: replica,
      args: () => [...args(replica), "--replicaof", "127.0.0.1", `${master}`],
    }),
  ];
  await Promise.all(servers.map((each) => each.start()));
  const watching = sentinels.map((port) => {
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `sentinel monitor main 127.0.0.1 ${master} 2`,
      "sentinel down-after-milliseconds main 1000",
      "sentinel failover-timeout main 3000",
    ];
    return new Daemon({
      command: server,
      port,
      prepare: (folder) => writeFileSync(join(folder, "sentinel.conf"), `${lines.join("\n")}\n`),
      args: (folder) => [join(folder, "sentinel.conf"), "--sentinel"],
    });
  });
  await Promise.all(watching.map((each) => each.start()));
  for (const port of sentinels) {
    await until(`sentinel ${port} knows the others`, () =>
      ask(
        port,
        async (client) =>
          ((await client.call("SENTINEL", "SENTINELS", "main")) as unknown[]).length === 2 &&
          ((await client.call("SENTINEL", "REPLICAS", "main")) as unknown[]).length === 1,
      ),
    );
  }
  return {
    ...group([...servers, ...watching], [master, replica]),
    sentinels,
    master: () =>
      ask(sentinels[0]!, async (client) =>
        Number(((await client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")) as string[])[1]),
      ),
  };
}
