// From the acknowledgement of a write in one process to the event of a watch in another, and what
// a thousand idle watches cost.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import kv from "anykv";
import { etcdServer } from "../test/support/etcd-server.ts";
import { type DiskClient, openClient } from "../test/support/open-client.ts";
import { SERVERS } from "../test/support/open-server.ts";
import { postgresServer } from "../test/support/postgres-server.ts";
import { redisServer } from "../test/support/redis-server.ts";
import { Writer } from "../test/support/writer.ts";
import { median } from "./race.ts";

const WRITES = 40;
const WATCHES = 1000;
const IDLE = 5000;

/** Measures a client that this process and another one open. */
async function measure(name: string, where: string, client: unknown): Promise<void> {
  const store = kv(client as Map<string, unknown>, { timeout: "30s" });
  const writer = new Writer(name, where);
  const one = store.watch("a");
  await one.ready;
  const delays: number[] = [];
  for (let i = 0; i < WRITES; i++) {
    const change = one.next().then(() => Date.now());
    const { at } = await writer.call("set", "a", i);
    delays.push(Math.max(0, (await change) - at));
  }
  await one.close();
  const watches = Array.from({ length: WATCHES }, (_, i) => store.watch(`k${i}`));
  await Promise.all(watches.map(({ ready }) => ready));
  const reading = watches.map((each) => each.next());
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, IDLE));
  const { user, system } = process.cpuUsage(before);
  await Promise.all(watches.map((each) => each.close()));
  await Promise.all(reading);
  const cpu = ((user + system) / 1000 / IDLE) * 100;
  console.log(
    `      watch ${name.padEnd(10)} an event after ${median(delays)} ms (median); ` +
      `${WATCHES} idle watches take ${cpu.toFixed(1)} % of a processor`,
  );
  await writer.end();
  await store.close();
}

export async function watch(): Promise<void> {
  for (const name of ["FILE", "FOLDER", "SQLITE"] satisfies DiskClient[]) {
    const folder = mkdtempSync(join(tmpdir(), "anykv-bench-"));
    await measure(name, folder, openClient(name, folder));
    rmSync(folder, { recursive: true, force: true });
  }
  const servers = {
    REDIS: await redisServer(),
    POSTGRES: await postgresServer(),
    ETCD: await etcdServer(),
  };
  for (const [name, server] of Object.entries(servers)) {
    await server.start();
    await measure(name, server.url, await SERVERS[name]!(server.url));
    await server.remove();
  }
}
