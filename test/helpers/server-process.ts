/**
 * A process beside the tests of servers. `node server-process.ts <task> <name> <url> <argument>`
 *
 * - `increment`: raises the key "count" so many times, each by a commit that checks the version it read; goes on through outages, and counts none twice
 * - `exit`: makes one of each operation, prints how each ended, closes the store, and ends by itself if nothing holds it
 */
import { writeSync } from "node:fs";
import { isKvError } from "../../src/errors.ts";
import kv from "../../src/index.ts";
import type { Store } from "../../src/api.ts";
import { openServer } from "./open-server.ts";

/** What "count" holds: the sum, and how much of it each process has added, so that an increment of unknown outcome can be told. */
export interface Count {
  sum: number;
  by: { [process: string]: number };
}

async function increment(store: Store, times: number): Promise<void> {
  const me = String(process.pid);
  for (let done = 0; done < times; ) {
    try {
      const entry = await store.entry<Count>("count");
      const { sum, by } = entry?.value ?? { sum: 0, by: {} };
      done = by[me] ?? 0;
      if (done === times) return;
      await store.commit([{ key: "count", version: entry?.version ?? null }], [{ key: "count", value: { sum: sum + 1, by: { ...by, [me]: done + 1 } } }]);
    } catch (error) {
      if (!isKvError(error, "KV_CONNECTION")) throw error;
    }
  }
}

async function exit(store: Store): Promise<void> {
  const operations = { get: () => store.get("a"), set: () => store.set("a", 1), keys: () => store.keys(), commit: () => store.commit([], [{ key: "a", value: 1 }]), close: () => store.close() };
  for (const [name, operation] of Object.entries(operations)) {
    const outcome = await operation().then(() => "done", (error) => error.code as string);
    writeSync(1, `${name} ${outcome}\n`);
  }
}

const [task, name = "", url = "", argument = ""] = process.argv.slice(2);
if (task !== undefined && process.argv[1] === import.meta.filename) {
  const store = kv(await openServer(name, url), { timeout: "1s" });
  if (task === "increment") await increment(store, Number(argument)).finally(() => store.close());
  if (task === "exit") await exit(store);
}
