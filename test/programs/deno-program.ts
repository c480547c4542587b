/**
 * A program for Deno with the whole library in it.
 * `deno run program.js <task> <path> <runs> <full>`
 *
 * - `suite`: the conformance suite on a database in memory and on one in a file; a line of JSON for
 *   each statement
 * - `increment`: raises "count" in the file 500 times, each by a commit that checks the version it
 *   read
 */
import type { DenoKv } from "../../src/clients/deno/index.ts";
import kv from "../../src/index.ts";
import { everyWay } from "../suites/workerd-ways.ts";

declare const Deno: {
  args: string[];
  openKv(path: string): Promise<DenoKv>;
  remove(path: string): Promise<void>;
};

const [task, path, runs, isFull] = Deno.args;

if (task === "suite") {
  let files = 0;
  const opened = {
    ":memory:": async () => kv((await Deno.openKv(":memory:")) as never),
    file: async () => kv((await Deno.openKv(`${path}-${files++}`)) as never),
  };
  for (const [where, open] of Object.entries(opened)) {
    for (const [way, tests] of everyWay({ open, runs: Number(runs) }, isFull === "full")) {
      for (const { name, run } of tests) {
        const failure = await run().then(
          () => null,
          (error: Error) => `${error.message}\n${error.stack}`,
        );
        console.log(JSON.stringify({ name: `${where} ${way}: ${name}`, failure }));
      }
    }
  }
}

if (task === "increment") {
  const store = kv((await Deno.openKv(path!)) as never);
  for (let done = 0; done < 500;) {
    const entry = await store.entry<number>("count");
    const { ok } = await store.commit(
      [{ key: "count", version: entry?.version ?? null }],
      [{ key: "count", value: (entry?.value ?? 0) + 1 }],
    );
    if (ok) done++;
  }
  await store.close();
}
