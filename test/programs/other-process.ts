/**
 * A process beside the tests. `node other-process.ts <task> <client> <folder> <argument>`
 *
 * - `increment`: raises "count" so many times, each by a commit that checks the version it read
 * - `fill`: sets 500 keys that start with the argument
 * - `rewrite`: sets "a" to values of many sizes, until its input ends
 * - `crash`: writes and acknowledges on its output, until it is killed
 * - `steps`: makes one commit, and is killed before the step of that number which it takes on the
 *   disk; prints "done" when it took fewer
 * - `powerless`: gives up the rights of root, reads "a", and prints that, the keys and what a write
 *   is refused with
 * - `exhausted`: writes with no free descriptor, then one more, and so on; prints what those writes
 *   are
 *   refused with, and the lock directories that are still held
 * - `release`: releases a lock with a file in it while no descriptor is free; prints whether it is
 *   still
 *   held then, and whether anything is left after the next one
 */
import fs, { writeSync } from "node:fs";
import { flushCompileCache, syncBuiltinESMExports } from "node:module";
import { fileLock } from "../../src/clients/shared/disk/file-lock.ts";
import type { KvError } from "../../src/errors.ts";
import type { Json } from "../../src/types.ts";
import kv from "../../src/index.ts";
import { type DiskClient, openClient } from "../support/open-client.ts";
import { PATIENT } from "../support/patient.ts";

/** A value that shows whether it is whole. */
export function valueOf(n: number): { n: number; size: number; filler: string } {
  const size = (n * 7919) % 5000;
  return { n, size, filler: "x".repeat(size) };
}

const [task, client = "FILE", folder = "", argument = ""] = process.argv.slice(2);

async function main(): Promise<void> {
  const store = kv<Json>((await openClient(client as DiskClient, folder)) as never, PATIENT);

  // A process that is killed would not do it at its end.
  flushCompileCache();
  if (task === "increment") {
    for (let done = 0; done < Number(argument);) {
      const entry = await store.entry<number>("count");
      const result = await store.commit(
        [{ key: "count", version: entry?.version ?? null }],
        [{ key: "count", value: (entry?.value ?? 0) + 1 }],
      );
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
        const pair = [
          { key: "left", value: valueOf(n) },
          { key: "right", value: valueOf(n) },
          { key: "now and then", value: n % 2 === 0 ? null : n },
        ];
        await Promise.all([
          store.commit([], pair).then(acknowledge("left")),
          store.set("beside", valueOf(n)).then(acknowledge("beside")),
        ]);
      }
    }
  }

  if (task === "steps") {
    await store.get("a");
    dieAt(Number(argument));
    await store.commit(
      [],
      [
        { key: "a", value: "new" },
        { key: "b", value: null },
        { key: "d", value: "new" },
      ],
    );
    writeSync(1, "done\n");
  }

  if (task === "powerless") {
    await store.get("a");
    if (process.getuid?.() === 0) process.setuid!("nobody");
    const refusal = await store.set("a", "x".repeat(50_000)).then(
      () => "none",
      (error: KvError) => `${error.code} ${(error.cause as NodeJS.ErrnoException).code}`,
    );
    writeSync(1, `${JSON.stringify([await store.get("a"), await store.keys(), refusal])}\n`);
  }

  if (task === "exhausted") {
    // Loads what reads and writes need.
    await store.setMany([
      ["a", 0],
      ["b", 0],
    ]);
    const refusals = new Set<string>();
    const held: string[] = [];
    for (let free = 0; free < Number(argument); free++) {
      const taken = takeDescriptors(free);
      for (const write of [
        () => store.set("a", free),
        () =>
          store.commit(
            [],
            [
              { key: "a", value: free },
              { key: "b", value: free },
            ],
          ),
      ]) {
        const codes = (error: KvError): string =>
          `${error.code} ${(error.cause as NodeJS.ErrnoException | undefined)?.code}`;
        const refusal = await write().then(() => "none", codes);
        refusals.add(refusal);
        held.push(
          ...[".data.json.anykv-lock", "data/.anykv-lock"].filter((work) =>
            fs.existsSync(`${folder}/${work}/held`),
          ),
        );
      }
      for (const fd of taken) fs.closeSync(fd);
      await store.set("b", free);
    }
    writeSync(1, `${JSON.stringify([[...refusals].sort(), held, await store.get("b")])}\n`);
  }

  if (task === "release") {
    const lock = fileLock(`${folder}/lock`);
    const held = await lock();
    fs.writeFileSync(`${held.folder}/data`, "half");
    const taken = takeDescriptors(0);
    held.release();
    const isHeld = fs.existsSync(held.folder) || fs.existsSync(`${folder}/lock/held`);
    for (const fd of taken) fs.closeSync(fd);
    (await lock()).release();
    writeSync(1, `${JSON.stringify([isHeld, fs.existsSync(`${folder}/lock`)])}\n`);
  }

  await store.close();
}

/** Opens all descriptors that the process may have but so many. */
function takeDescriptors(free: number): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(fs.openSync("/dev/null", "r"));
  } catch {
    // None is left.
  }
  for (const fd of taken.splice(0, free)) fs.closeSync(fd);
  return taken;
}

/**
 * Kills this process when it is about to take a step of this number that changes something on the
 * disk.
 */
function dieAt(step: number): void {
  const target = fs as unknown as { [name: string]: (...args: unknown[]) => unknown };
  for (const name of [
    "mkdirSync",
    "renameSync",
    "rmdirSync",
    "rmSync",
    "unlinkSync",
    "openSync",
    "writeFileSync",
    "fsync",
  ]) {
    const real = target[name]!;
    target[name] = (...args) => {
      if (step-- === 0) process.kill(process.pid, "SIGKILL");
      return real(...args);
    };
  }
  syncBuiltinESMExports();
}

if (task !== undefined && process.argv[1] === import.meta.filename) await main();
