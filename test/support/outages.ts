import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { KvOptions, Store } from "../../src/api.ts";
import { isKvError } from "../../src/errors.ts";
import { until } from "./daemon.ts";
import { runs } from "./runs.ts";
import type { Count } from "../programs/server-process.ts";

const script = join(import.meta.dirname, "../programs/server-process.ts");

/** A server that the suite may start and end as it likes, and how to open a store over it. */
export interface OutageSubject {
  /** The name in `open-server.ts`, and the URL that goes with it. */
  readonly name: string;
  readonly url: string;
  /** Starts the server, with the data that it had before. */
  start(): Promise<unknown>;
  /** Ends it as a crash does. */
  kill(): Promise<unknown>;
  /** Forgets its data while it is down. */
  wipe(): Promise<unknown>;
  pause(): void;
  resume(): void;
  /** A store over a client of its own. */
  open(options: KvOptions): Store | Promise<Store>;
  /** The same with a wrong password; `secret` is what no error may show. */
  wrong?: { open(options: KvOptions): Store | Promise<Store>; readonly secret: string };
  /** Whether what was acknowledged survives a crash of the server. */
  readonly isDurable: boolean;
}

type Outcome = { done: true } | { done: false; code: string };

const outcome = (work: Promise<unknown>): Promise<Outcome> =>
  work.then(
    () => ({ done: true }),
    (error) => ({ done: false, code: isKvError(error) ? error.code : `${error}` }),
  );

/** Each operation that asks the server. */
const every = (store: Store): { [name: string]: () => Promise<unknown> } => ({
  get: () => store.get("a"),
  has: () => store.has("a"),
  entry: () => store.entry("a"),
  set: () => store.set("a", 1, { expires: "1h" }),
  add: () => store.add(1),
  del: () => store.del("a"),
  touch: () => store.touch("a", "1h"),
  getMany: () => store.getMany(["a", "b"]),
  setMany: () =>
    store.setMany([
      ["a", 1],
      ["b", 2],
    ]),
  delMany: () => store.delMany(["a", "b"]),
  keys: () => store.keys(),
  values: () => store.values(),
  entries: () => store.entries(),
  all: () => store.all(),
  list: () => store.list(),
  iterate: async () => {
    for await (const _ of store) break;
  },
  commit: () => store.commit([{ key: "a", version: null }], [{ key: "b", value: 1 }]),
  clear: () => store.clear(),
  prune: () => store.prune(),
});

const works = (store: Store) => async (): Promise<boolean> => {
  const token = Math.random();
  return (
    (await outcome(store.set("works", token))).done &&
    (await store.get("works").catch(() => null)) === token
  );
};

async function refusesEverything(store: Store, operations = every(store)): Promise<void> {
  const outcomes = await Promise.all(
    Object.entries(operations).map(
      async ([name, operation]) => [name, await outcome(operation())] as const,
    ),
  );
  for (const [name, found] of outcomes)
    expect([name, found]).toEqual([name, { done: false, code: "KV_CONNECTION" }]);
}

async function outputOf(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(0);
  return output;
}

/**
 * Two processes raise one number by compare-and-set, each as many `times`. Nothing may be lost or
 * counted twice, whatever happens `meanwhile`.
 */
export async function incrementInTwoProcesses(
  name: string,
  url: string,
  store: Store,
  times: number = runs(500),
  meanwhile?: (sum: () => Promise<number>) => Promise<void>,
): Promise<void> {
  await store.del("count");
  const sum = async (): Promise<number> =>
    (await store.get<Count>("count").catch(() => null))?.sum ?? 0;
  await Promise.all([
    outputOf("increment", name, url, `${times}`),
    outputOf("increment", name, url, `${times}`),
    meanwhile?.(sum),
  ]);
  const { sum: total, by } = (await store.get<Count>("count"))!;
  expect(Object.values(by)).toEqual([times, times]);
  expect(total).toBe(2 * times);
}

/** Reads a number. A server that is back may still refuse a read now and then. */
async function readPatiently(store: Store, key: string): Promise<number | null> {
  let found: number | null = null;
  await until(`${key} is read`, async () => {
    const result = await outcome(store.get<number>(key).then((value) => (found = value)));
    return result.done;
  });
  return found;
}

/**
 * Keeps 200 writers busy, lets something happen once they have begun, and returns what was
 * acknowledged: the last number under each key. Says what was acknowledged, refused and lost.
 */
export async function under200Writers(
  name: string,
  store: Store,
  happen: () => Promise<unknown>,
  after: () => Promise<unknown>,
): Promise<{ acknowledged: Map<string, number>; lost: number; refused: number }> {
  const acknowledged = new Map<string, number>();
  // Written without an answer: may be there or not.
  const unknown = new Map<string, number>();
  const codes = new Set<string>();
  let writes = 0;
  let refused = 0;
  let hasBegun = false;
  const over = new AbortController();
  const writer = async (name: string): Promise<void> => {
    let key = name;
    for (let n = 1; !over.signal.aborted; n++) {
      unknown.set(key, n);
      const result = await outcome(
        n % 3 === 0 ? store.commit([], [{ key, value: n }]) : store.set(key, n),
      );
      if (result.done) {
        acknowledged.set(key, n);
        writes++;
        continue;
      }
      codes.add(result.code);
      // A busy machine may be too late at first. The write may still be made, after later ones of
      // its key: the writer goes on with another key.
      if (!hasBegun) {
        acknowledged.delete(key);
        key = `${name}, ${n}`;
        continue;
      }
      refused++;
      return;
    }
  };
  const writers = Array.from({ length: 200 }, (_, i) => writer(`writer ${i}`));
  await until("each of 200 writers has written", () => acknowledged.size === 200);
  hasBegun = true;
  await happen();
  // Each of them ends: with its own refusal, or because the rest have ended.
  const ended = Promise.all(writers);
  await Promise.race([
    ended,
    until("a write is refused, or 1,000 more are made", () => refused > 0 || writes > 2000),
  ]);
  await after();
  await until("the store works again", works(store));
  over.abort();
  await ended;
  let lost = 0;
  for (const [key, n] of acknowledged) {
    const found = (await readPatiently(store, key)) ?? 0;
    if (found !== n && found !== unknown.get(key)) lost++;
  }
  console.log(
    `${name}: ${writes} writes acknowledged, ${refused} refused, ${lost} of 200 keys ` +
      "lost their last acknowledged write",
  );
  expect([...codes].filter((code) => code !== "KV_CONNECTION")).toEqual([]);
  return { acknowledged, lost, refused };
}

/** What a store has to survive, and to go on after without being made anew. */
export function outages(subject: OutageSubject): void {
  const { name, url, start, kill, wipe, pause, resume, open, wrong, isDurable } = subject;

  describe(`${name} through outages`, () => {
    // A test that fails may leave the server down.
    beforeEach(async () => void (await start()));

    it("is not there at first: every operation rejects, and works once it is there", async () => {
      await kill();
      const store = await open({ timeout: "500ms" });
      await refusesEverything(store);
      await refusesEverything(store);
      await start();
      await until("the store works", works(store));
      await store.close();
    });

    it("is killed during 200 operations: each ends, and the store goes on", async () => {
      const store = await open({ timeout: "1s" });
      const { lost, refused } = await under200Writers(name, store, kill, start);
      expect(refused).toBeGreaterThan(0);
      if (isDurable) expect(lost).toBe(0);
      await store.close();
    });

    it("is killed in the middle of a listing: it rejects, and the next one is whole", async () => {
      const store = await open({ timeout: "1s" });
      await until("the store works", works(store));
      await store.clear();
      const entries = Array.from({ length: 3000 }, (_, i): [string, number] => [`key ${i}`, i]);
      await store.setMany(entries);
      const listing = outcome(
        (async () => {
          for await (const [, value] of store) if (value === -1) return;
        })(),
      );
      const iterator = store.iterate();
      await iterator.next();
      await kill();
      const rest = await outcome(
        (async () => {
          for await (const _ of iterator);
        })(),
      );
      expect(rest).toEqual({ done: false, code: "KV_CONNECTION" });
      await listing;
      await start();
      await until("the store works", works(store));
      await store.setMany(entries);
      expect((await store.keys()).length).toBe(3001);
      await store.clear();
      await store.close();
    });

    it("is stopped for 3 s: operations reject in time or wait, and the store goes on", async () => {
      const store = await open({ timeout: "1s" });
      const patient = await open({ timeout: 0 });
      await until("both work", async () => (await works(store)()) && (await works(patient)()));
      pause();
      const waiting = outcome(patient.set("patient", 1));
      try {
        // What may be as large as the store has ten times as long.
        const { clear: _, prune: __, ...hasty } = every(store);
        await Promise.all([refusesEverything(store, hasty), sleep(3000)]);
      } finally {
        resume();
      }
      expect(await waiting).toEqual({ done: true });
      await until("the store works", works(store));
      await store.close();
      await patient.close();
    });

    it("is restarted empty: the store goes on with nothing", async () => {
      const store = await open({ timeout: "1s" });
      await until("the store works", works(store));
      await store.set("before", 1, { expires: "1h" });
      await kill();
      await wipe();
      await start();
      await until("the store works", works(store));
      expect(await store.get("before")).toBe(null);
      await store.set("before", 2, { expires: "1h" });
      expect(await store.keys()).toEqual(expect.arrayContaining(["before", "works"]));
      expect(
        (await store.commit([{ key: "new", version: null }], [{ key: "new", value: 1 }])).ok,
      ).toBe(true);
      await store.clear();
      await store.close();
    });

    it("lets a program end that closed its store, whether or not the server is there", async () => {
      expect(await outputOf("exit", name, url, "30s")).toBe(
        "get done\nset done\nkeys done\ncommit done\nclose done\n",
      );
      await kill();
      const output = await outputOf("exit", name, url, "1s");
      expect(output).toMatch(
        /^((get|set|keys|commit) KV_CONNECTION\n){4}close (done|KV_CONNECTION)\n$/,
      );
      await start();
    });

    for (const { open: openWrong, secret } of wrong === undefined ? [] : [wrong]) {
      it("refuses a wrong password: every operation rejects, and no error shows it", async () => {
        const store = await openWrong({ timeout: "1s" });
        await refusesEverything(store);
        const error = await store.get("a").catch((error: Error) => error);
        expect(`${error}`).not.toContain(secret);
        await outcome(store.close());
      });
    }
  });
}
