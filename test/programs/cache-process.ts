/**
 * A process beside the tests of caches: `node cache-process.ts <client> <place> <options>`. It
 * reads commands as lines of JSON, and answers with lines of JSON.
 */
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type CacheOptions, createCache } from "../../src/cache/index.ts";
import kv, { type Client } from "../../src/index.ts";
import { type DiskClient, DISK_CLIENTS, openClient } from "../support/open-client.ts";
import { openServer } from "../support/open-server.ts";

/** What a process is told to do. */
export type CacheCommand =
  | { task: "load"; key: string; ms: number; value: unknown; fails?: boolean }
  | { task: "get"; key: string }
  | { task: "set"; key: string; value: unknown }
  | { task: "hammer"; ms: number; me: number; of: number; keys: number }
  | { task: "stats" | "close" };

/** What a process has seen: each of its reads and writes as `[key, number, milliseconds]`. */
export interface Hammered {
  /** When the read began. */
  readonly reads: readonly (readonly [key: number, n: number, at: number])[];
  /** When the write was acknowledged. */
  readonly writes: readonly (readonly [key: number, n: number, at: number])[];
}

/** What a process answers. `loading` comes while the loader of a command runs. */
export type CacheAnswer =
  | { id: number; event: "loading" }
  | { id: number; event: "done"; value: unknown }
  | { id: number; event: "failed"; message: string };

const [client = "", place = "", options = "{}"] = process.argv.slice(2);
const isDisk = (DISK_CLIENTS as readonly string[]).includes(client);
const opened = isDisk
  ? await openClient(client as DiskClient, place)
  : await openServer(client, place);
const store = kv(opened as Client, { prefix: "cache:", timeout: "30s" });
const { l1, ...rest } = JSON.parse(options) as CacheOptions & { l1?: object };
const cache = createCache(l1 === undefined ? store : { l1, l2: store }, rest);

const say = (answer: CacheAnswer): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);

/** Reads all keys and writes some: each key has one process that writes growing numbers to it. */
async function hammer(ms: number, me: number, of: number, keys: number): Promise<Hammered> {
  const reads: [number, number, number][] = [];
  const writes: [number, number, number][] = [];
  const numbers = new Map<number, number>();
  const pick = (): number => Math.floor(Math.random() * keys);
  for (const end = Date.now() + ms; Date.now() < end;) {
    for (let i = 0; i < 20; i++) {
      const key = pick();
      const at = Date.now();
      const n = await cache.get<number>(`hammer ${key}`);
      if (n !== null) reads.push([key, n, at]);
    }
    const key = Math.floor(pick() / of) * of + me;
    const n = (numbers.get(key) ?? 0) + 1;
    numbers.set(key, n);
    await cache.set(`hammer ${key}`, n);
    writes.push([key, n, Date.now()]);
    await sleep(1);
  }
  return { reads, writes };
}

async function run(id: number, command: CacheCommand): Promise<unknown> {
  switch (command.task) {
    case "load":
      return cache.getOrSet(command.key, async () => {
        say({ id, event: "loading" });
        await sleep(command.ms);
        if (command.fails) throw new Error(String(command.value));
        return command.value;
      });
    case "get":
      return cache.get(command.key);
    case "set":
      return cache.set(command.key, command.value);
    case "hammer":
      return hammer(command.ms, command.me, command.of, command.keys);
    case "stats":
      return cache.stats();
    case "close":
      await cache.close();
      return store.close();
  }
}

// Connected before the first command.
await store.get("ready");
// A process that is killed does not write its compile cache at its end.
flushCompileCache();
for await (const line of createInterface(process.stdin)) {
  const { id, ...command } = JSON.parse(line) as CacheCommand & { id: number };
  void run(id, command).then(
    (value) => say({ id, event: "done", value: value ?? null }),
    (error: Error) => say({ id, event: "failed", message: error.message }),
  );
}
