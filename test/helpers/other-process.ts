/**
 * A process beside the tests. `node other-process.ts <task> <client> <folder> <argument>`
 *
 * - `increment`: raises "count" so many times, each by a commit that checks the version it read
 * - `fill`: sets 500 keys that start with the argument
 * - `rewrite`: sets "a" to values of many sizes, until its input ends
 * - `crash`: writes and acknowledges on its output, until it is killed
 * - `steps`: makes one commit, and is killed before the step of that number which it takes on the disk; prints "done" when it took fewer
 * - `powerless`: gives up the rights of root, reads "a", and prints that, the keys and what a write is refused with
 */
import fs, { writeSync } from "node:fs";
import { flushCompileCache, syncBuiltinESMExports } from "node:module";
import type { KvError } from "../../src/errors.ts";
import type { Json } from "../../src/types.ts";
import kv from "../../src/index.ts";
import { type DiskClient, openClient } from "./open-client.ts";

/** A value that shows whether it is whole. */
export function valueOf(n: number): { n: number; size: number; filler: string } {
  const size = (n * 7919) % 5000;
  return { n, size, filler: "x".repeat(size) };
}

const [task, client = "FILE", folder = "", argument = ""] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = kv<Json>((await openClient(client as DiskClient, folder)) as never);

  // A process that is killed would not do it at its end.
  flushCompileCache();
  if (task === "increment") {
    for (let done = 0; done < Number(argument); ) {
      const entry = await store.entry<number>("count");
      const result = await store.commit([{ key: "count", version: entry?.version ?? null }], [{ key: "count", value: (entry?.value ?? 0) + 1 }]);
      if (result.ok) done++;
    }
  }

  if (task === "fill") for (let i = 0; i < 500; i++) await store.set(`${argument}${i}`, i);

  if (task === "rewrite") {
    const end = new AbortController();
    process.stdin.on("end", () => end.abort()).resume();
    for (let n = 0; !end.signal.aborted; n++) {
      await store.set("a", valueOf(n));
      if (n === 0) writeSync(1, "ready\n");
    }
  }

  if (task === "crash") {
    for (let n = Number(argument); ; n++) {
      const acknowledge = (key: string) => () => void writeSync(1, `${key} ${n}\n`);
      const single = `key ${n % 10}`;
      if (n % 3 > 0) await store.set(single, valueOf(n)).then(acknowledge(single));
      else {
        const pair = [{ key: "left", value: valueOf(n) }, { key: "right", value: valueOf(n) }, { key: "now and then", value: n % 2 === 0 ? null : n }];
        await Promise.all([store.commit([], pair).then(acknowledge("left")), store.set("beside", valueOf(n)).then(acknowledge("beside"))]);
      }
    }
  }

  if (task === "steps") {
    await store.get("a");
    dieAt(Number(argument));
    await store.commit([], [{ key: "a", value: "new" }, { key: "b", value: null }, { key: "d", value: "new" }]);
    writeSync(1, "done\n");
  }

  if (task === "powerless") {
    await store.get("a");
    if (process.getuid?.() === 0) process.setuid!("nobody");
    const refusal = await store.set("a", "x".repeat(50_000)).then(() => "none", (error: KvError) => `${error.code} ${(error.cause as NodeJS.ErrnoException).code}`);
    writeSync(1, `${JSON.stringify([await store.get("a"), await store.keys(), refusal])}\n`);
  }

  await store.close();
}

/** Kills this process when it is about to take a step of this number that changes something on the disk. */
function dieAt(step: number): void {
  const target = fs as unknown as { [name: string]: (...args: unknown[]) => unknown };
  for (const name of ["mkdirSync", "renameSync", "rmdirSync", "rmSync", "unlinkSync", "openSync", "writeFileSync", "fsync"]) {
    const real = target[name]!;
    target[name] = (...args) => {
      if (step-- === 0) process.kill(process.pid, "SIGKILL");
      return real(...args);
    };
  }
  syncBuiltinESMExports();
}

if (task !== undefined && process.argv[1] === import.meta.filename) await main();
