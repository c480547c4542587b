/**
 * A process beside the tests of caches: `node cache-process.ts <client> <place> <options>`. It
 * reads commands as lines of JSON, and answers with lines of JSON.
 */
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
  | { task: "stats" | "close" };

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
    case "stats":
      return cache.stats();
    case "close":
      await cache.close();
      return store.close();
  }
}

// Connected before the first command.
await store.get("ready");
for await (const line of createInterface(process.stdin)) {
  const { id, ...command } = JSON.parse(line) as CacheCommand & { id: number };
  void run(id, command).then(
    (value) => say({ id, event: "done", value: value ?? null }),
    (error: Error) => say({ id, event: "failed", message: error.message }),
  );
}
