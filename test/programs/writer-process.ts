// Writes to a store in a process of its own.
//   node writer-process.ts <client of test/support/open-server.ts or open-client.ts> <where>
// Each line of input is [method, ...arguments]; each answer is a line with its result.
import { flushCompileCache } from "node:module";
import { createInterface } from "node:readline";
import kv, { type Store } from "../../src/index.ts";
import { DISK_CLIENTS, type DiskClient, openClient } from "../support/open-client.ts";
import { SERVERS } from "../support/open-server.ts";

const [name, where] = process.argv.slice(2) as [string, string];
const client = (DISK_CLIENTS as readonly string[]).includes(name)
  ? openClient(name as DiskClient, where)
  : SERVERS[name]!(where);
const store = kv(client as Promise<Map<string, unknown>>, { timeout: "60s" });
// A process that is killed does not write its compile cache at its end.
flushCompileCache();

for await (const line of createInterface({ input: process.stdin })) {
  const [method, ...args] = JSON.parse(line) as [keyof Store, ...unknown[]];
  const call = store[method] as (...args: unknown[]) => Promise<unknown>;
  console.log(JSON.stringify({ result: (await call(...args)) ?? null, at: Date.now() }));
}
