/**
 * A process beside the tests of servers. `node server-process.ts <task> <name> <url> <argument>`
 *
 * - `increment`: raises the key "count" so many times, each by a commit that checks the version it
 *   read; goes on through outages, and counts none twice
 * - `leave`: makes one operation, prints "stop", and when it is told that the server is silent
 *   closes the store with an operation under way; ends by itself if nothing holds it
 * - `exit`: makes one of each operation, each with so much patience, prints how each ended, closes
 *   the store, and ends by itself if nothing holds it
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isKvError } from "../../src/errors.ts";
import kv, { type Client } from "../../src/index.ts";
import type { Store } from "../../src/api.ts";
import type { Json } from "../../src/types.ts";
import { openServer } from "../support/open-server.ts";

/**
 * What "count" holds: the sum, and how much of it each process has added, so that an increment of
 * unknown outcome can be told.
 */
export interface Count {
  sum: number;
  by: { [process: string]: number };
  /** Which of its attempts each process has succeeded with last. */
  last: { [process: string]: number };
}

async function increment(store: Store, times: number): Promise<void> {
  const me = String(process.pid);
  let refused: number | null = null;
  for (let done = 0, attempt = 1; done < times; attempt++) {
    try {
      const entry = await store.entry<Count>("count");
      const { sum, by, last } = entry?.value ?? { sum: 0, by: {}, last: {} };
      // One of unknown outcome rejects: what answers that it failed has not been made.
      if (refused !== null && last[me] === refused)
        throw new Error(`attempt ${refused} was answered with { ok: false }, and was made`);
      refused = null;
      done = by[me] ?? 0;
      if (done === times) return;
      const value: Count = {
        sum: sum + 1,
        by: { ...by, [me]: done + 1 },
        last: { ...last, [me]: attempt },
      };
      const { ok } = await store.commit(
        [{ key: "count", version: entry?.version ?? null }],
        [{ key: "count", value: value as unknown as Json }],
      );
      if (!ok) refused = attempt;
    } catch (error) {
      if (!isKvError(error, "KV_CONNECTION")) throw error;
      // An outage leaves the processor to the others.
      await sleep(10);
    }
  }
}

async function exit(store: Store): Promise<void> {
  const operations = {
    get: () => store.get("a"),
    set: () => store.set("a", 1),
    keys: () => store.keys(),
    commit: () => store.commit([], [{ key: "a", value: 1 }]),
    close: () => store.close(),
  };
  for (const [name, operation] of Object.entries(operations)) {
    const outcome = await operation().then(
      () => "done",
      (error) => error.code as string,
    );
    writeSync(1, `${name} ${outcome}\n`);
  }
}

/** Writes to its output, and waits for a line on its input. */
async function said(word: string): Promise<void> {
  writeSync(1, `${word}\n`);
  await once(process.stdin, "data");
  process.stdin.destroy();
}

async function leave(store: Store): Promise<void> {
  // Half a second may be too little at first.
  while (
    !(await store.set("a", 1).then(
      () => true,
      () => false,
    ))
  );
  await said("stop");
  const pending = store.get("a").then(
    () => "done",
    (error) => error.code as string,
  );
  writeSync(
    1,
    `close ${await store.close().then(
      () => "done",
      (error) => error.code as string,
    )}\n`,
  );
  writeSync(1, `get ${await pending}\n`);
}

const [task, name = "", url = "", argument = ""] = process.argv.slice(2);
if (task !== undefined && process.argv[1] === import.meta.filename) {
  const store = kv((await openServer(name, url)) as Client, {
    timeout: task === "leave" ? "500ms" : task === "exit" ? argument : "1s",
  });
  if (task === "increment") await increment(store, Number(argument)).finally(() => store.close());
  if (task === "exit") await exit(store);
  if (task === "leave") await leave(store);
}
