import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CacheStats } from "../../src/cache/index.ts";
import type { Hammered } from "../programs/cache-process.ts";
import { type CacheProcess, cacheProcesses } from "../support/cache-processes.ts";
import { temporaryFolder } from "../support/folders.ts";
import { redisServer } from "../support/redis-server.ts";
import { isFull } from "../support/runs.ts";

const PROCESSES = 4;
const TTL = 1;
const redis = await redisServer();
const folder = temporaryFolder();
beforeAll(async () => void (await redis.start()));
afterAll(async () => {
  await redis.remove();
  folder.remove();
});

const places: { readonly [client: string]: () => string } = {
  REDIS: () => redis.url,
  SQLITE: () => folder.path,
};

describe.each(Object.keys(places))("two tiers over %s in 4 processes", (client) => {
  let processes: CacheProcess[];
  beforeAll(async () => {
    const options = { ttl: "1h", l1: { ttl: TTL } };
    processes = await cacheProcesses(PROCESSES, client, places[client]!(), options);
  });
  afterAll(async () => void (await Promise.all(processes.map((each) => each.end("SIGKILL")))));

  it("read nothing older than the ttl of the first tier, nor older after newer", async () => {
    const command = {
      task: "hammer",
      ms: isFull ? 30_000 : 1500,
      of: PROCESSES,
      keys: 100,
    } as const;
    const found = (await Promise.all(
      processes.map((each, me) => each.send({ ...command, me }).value),
    )) as Hammered[];
    /** When each number was acknowledged, by key. */
    const written = new Map<number, Map<number, number>>();
    for (const [key, n, at] of found.flatMap(({ writes }) => writes))
      written.set(key, (written.get(key) ?? new Map<number, number>()).set(n, at));
    const wrong: string[] = [];
    let reads = 0;
    for (const [i, { reads: own }] of found.entries()) {
      const last = new Map<number, number>();
      for (const [key, n, at] of own) {
        reads++;
        if (n < (last.get(key) ?? 0)) wrong.push(`${i} read ${n} of ${key} after ${last.get(key)}`);
        last.set(key, n);
        const replaced = written.get(key)?.get(n + 1) ?? Infinity;
        // The clock has whole milliseconds.
        if (replaced < at - TTL * 1000 - 1)
          wrong.push(`${i} read ${n} of ${key} ${at - replaced} ms late`);
      }
    }
    expect(wrong).toEqual([]);
    const stats = (await Promise.all(
      processes.map((each) => each.send({ task: "stats" }).value),
    )) as CacheStats[];
    const hits = stats.reduce((sum, { l1Hits }) => sum + l1Hits, 0);
    console.log(`${client}: ${reads} reads, ${hits} of them in the first tier`);
    expect(hits).toBeGreaterThan(0);
  });

  it("let a process end that has closed its cache and its store", async () => {
    for (const each of processes) {
      await each.send({ task: "close" }).value;
      const ended = once(each.child, "exit");
      each.child.stdin!.end();
      expect((await ended)[0]).toBe(0);
    }
  });
});
