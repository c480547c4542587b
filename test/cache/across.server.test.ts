import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CacheStats } from "../../src/cache/index.ts";
import { type EtcdServer, etcdServer } from "../support/etcd-server.ts";
import { temporaryFolder } from "../support/folders.ts";
import { type PostgresServer, postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";
import { isFull } from "../support/runs.ts";
import { CacheProcess, cacheProcesses, type Commanded } from "../support/cache-processes.ts";

const redis = await redisServer();
let etcd: EtcdServer;
let postgres: PostgresServer;
const folders = { SQLITE: temporaryFolder(), FILE: temporaryFolder() };
beforeAll(async () => {
  [etcd, postgres] = await Promise.all([etcdServer(), postgresServer(), redis.start()]);
});
afterAll(async () => {
  await Promise.all([redis, etcd, postgres].map((server) => server.remove()));
  for (const folder of Object.values(folders)) folder.remove();
});

const places: { readonly [client: string]: () => string } = {
  REDIS: () => redis.url,
  POSTGRES: () => postgres.url,
  ETCD: () => etcd.url,
  SQLITE: () => folders.SQLITE.path,
  FILE: () => folders.FILE.path,
};
const LEASE = 3;

/** The number of processes that share a cache. */
const PROCESSES = isFull ? 8 : 4;

/** The first of these commands whose loader is called, by its index. */
const firstLoading = (commands: readonly Commanded[]): Promise<number> =>
  Promise.race(commands.map(({ loading }, i) => loading.then(() => i)));

describe.each(Object.keys(places))("a cache on %s in several processes", (client) => {
  let processes: CacheProcess[];
  beforeAll(async () => {
    processes = await cacheProcesses(PROCESSES, client, places[client]!(), {
      ttl: "1h",
      lease: LEASE,
    });
  });
  afterAll(async () => void (await Promise.all(processes.map((each) => each.end("SIGKILL")))));

  it("loads a key once that all of them miss", async () => {
    const load = (each: CacheProcess, i: number): Commanded =>
      each.send({ task: "load", key: "a", ms: 500, value: `by ${i}` });
    const commands = processes.map(load);
    const loader = await firstLoading(commands);
    const values = await Promise.all(commands.map(({ value }) => value));
    expect(values).toEqual(values.map(() => `by ${loader}`));
    expect(commands.filter(({ isLoading }) => isLoading).length).toBe(1);
    const stats = (await Promise.all(
      processes.map((each) => each.send({ task: "stats" }).value),
    )) as CacheStats[];
    const sum = (name: keyof CacheStats): number =>
      stats.reduce((total, each) => total + each[name], 0);
    expect([sum("loads"), sum("coalescedAcross") + sum("hits")]).toEqual([1, processes.length - 1]);
  });

  it("backs off when the loader fails, and waits for two failures at most", async () => {
    const begun: number[] = [];
    const commands = processes.map((each) => {
      const command = each.send({ task: "load", key: "b", ms: 1, value: "down", fails: true });
      void command.loading.then(() => begun.push(Date.now()));
      return command;
    });
    for (const { value } of commands)
      await expect(value).rejects.toThrow(/^down$|has failed 2 times/);
    expect(begun.length).toBeLessThan(processes.length);
    for (const [i, at] of begun.slice(1).entries()) expect(at - begun[i]!).toBeGreaterThan(50);
    const later = processes[0]!.send({ task: "load", key: "b", ms: 1, value: "up" });
    expect(await later.value).toBe("up");
  });

  it("rejects the value of a stopped process whose lease has ended", async () => {
    const slow = processes[0]!.send({ task: "load", key: "c", ms: 100, value: "late" });
    await slow.loading;
    processes[0]!.child.kill("SIGSTOP");
    const others = processes
      .slice(1)
      .map((each) => each.send({ task: "load", key: "c", ms: 10, value: "successor" }));
    try {
      await Promise.all(others.map(({ value }) => value));
    } finally {
      processes[0]!.child.kill("SIGCONT");
    }
    // Its own caller gets the value that it has waited for.
    expect(await slow.value).toBe("late");
    expect(others.filter(({ isLoading }) => isLoading).length).toBe(1);
    const read = processes.map((each) => each.send({ task: "get", key: "c" }).value);
    expect(new Set(await Promise.all(read))).toEqual(new Set(["successor"]));
    const stats = (await processes[0]!.send({ task: "stats" }).value) as CacheStats;
    expect(stats.outdated).toBe(1);
  });

  it("does not overwrite a value that another process has set meanwhile", async () => {
    const slow = processes[0]!.send({ task: "load", key: "d", ms: 300, value: "loaded" });
    await slow.loading;
    await processes[1]!.send({ task: "set", key: "d", value: "set" }).value;
    expect(await slow.value).toBe("loaded");
    expect(await processes[0]!.send({ task: "get", key: "d" }).value).toBe("set");
  });

  it("lets one process take over when the one that loads is killed", async () => {
    const begun = processes.at(-1)!.send({ task: "load", key: "e", ms: 60_000, value: "never" });
    await begun.loading;
    const killed = Date.now();
    await processes.at(-1)!.end("SIGKILL");
    const others = processes
      .slice(0, -1)
      .map((each) => each.send({ task: "load", key: "e", ms: 10, value: "successor" }));
    const values = await Promise.all(others.map(({ value }) => value));
    expect(values).toEqual(values.map(() => "successor"));
    expect(others.filter(({ isLoading }) => isLoading).length).toBe(1);
    expect(Date.now() - killed).toBeGreaterThan(LEASE * 500);
  });
});
