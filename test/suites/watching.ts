import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Store, StoreWatch, WatchEvent } from "../../src/api.ts";
import kv from "../../src/index.ts";
import { isFull } from "../support/runs.ts";
import { Writer } from "../support/writer.ts";

/** The client that is watched, as this process and another one open it. */
export interface WatchedClient {
  /** The client's name in open-client.ts or open-server.ts. */
  readonly name: string;
  /** Its folder or URL. */
  readonly where: () => string;
  readonly open: () => unknown;
  /** Whether only the first case is tried, unless in a full run: another client has them all. */
  readonly isShort?: boolean;
}

type States = Map<string, unknown>;

/** Applies changes until the states are the expected ones. */
async function until(
  watch: StoreWatch<unknown>,
  states: States,
  isReached: (states: States) => boolean,
): Promise<WatchEvent<unknown>[]> {
  const seen: WatchEvent<unknown>[] = [];
  while (!isReached(states)) {
    const { value, done } = await watch.next();
    if (done === true) throw new Error("the watch ended");
    seen.push(value);
    if (value.entry === null) states.delete(value.key);
    else states.set(value.key, value.entry.value);
  }
  return seen;
}

const isEqual = (expected: object) => (states: States) =>
  JSON.stringify([...states].sort()) === JSON.stringify(Object.entries(expected).sort());

/** What a watch reports of the changes that other processes make. */
export function watchesOtherProcesses({ name, where, open, isShort = false }: WatchedClient): void {
  let writer: Writer;
  let store: Store<unknown>;
  const watches: StoreWatch<unknown>[] = [];
  const watching = async (
    target: Parameters<Store<unknown>["watch"]>[0],
  ): Promise<StoreWatch<unknown>> => {
    const watch = store.prefix("w:").watch(target);
    watches.push(watch as StoreWatch<unknown>);
    await watch.ready;
    return watch as StoreWatch<unknown>;
  };

  beforeAll(async () => {
    store = kv(open() as Map<string, unknown>, { timeout: "60s" });
    writer = new Writer(name, where());
    await writer.call("set", "before", 1);
  });
  afterEach(async () => {
    await Promise.all(watches.splice(0).map((watch) => watch.close()));
    await store.clear();
  });
  afterAll(async () => {
    await writer.end();
    await store.close();
  });

  it("reports the sets, deletions, commits and clears of another process", async () => {
    const key = await watching("a");
    const prefix = await watching({ prefix: "" });
    const [states, all]: States[] = [new Map(), new Map()];
    await writer.call("set", "w:a", 1, { metadata: "m" });
    const [first] = await until(key, states!, isEqual({ a: 1 }));
    expect(first!.entry).toMatchObject({ key: "a", value: 1, metadata: "m", expires: null });
    await writer.call("setMany", [
      ["w:b", { deep: [1] }],
      ["other", 1],
    ]);
    await until(prefix, all!, isEqual({ a: 1, b: { deep: [1] } }));
    if (store.supports.atomic === "yes") {
      await writer.call("commit", [], [{ key: "w:c", value: "c" }]);
      await writer.call("commit", [], [{ key: "w:a", value: null }]);
      await until(prefix, all!, isEqual({ b: { deep: [1] }, c: "c" }));
      await until(key, states!, isEqual({}));
    }
    await writer.call("clear");
    await until(prefix, all!, isEqual({}));
  });

  if (isShort && !isFull) return;

  it("reports a deadline that another process has set, and one that it moves", async () => {
    const watch = await watching(["a", "b"]);
    const states: States = new Map();
    await writer.call("set", "w:a", 1, { expires: "1s" });
    await writer.call("set", "w:b", 1);
    await until(watch, states, isEqual({ a: 1, b: 1 }));
    await until(watch, states, isEqual({ b: 1 }));
    await writer.call("touch", "w:b", "500ms");
    await until(watch, states, isEqual({}));
  });

  it("ends in the same state as the store under the writes of two processes", async () => {
    const rounds = isFull ? 5000 : 200;
    const count = isFull ? 50 : 10;
    const all = await Promise.all(Array.from({ length: count }, () => watching({ prefix: "" })));
    const other = new Writer(name, where());
    try {
      const write = async (by: Writer, round: number): Promise<void> => {
        const key = `w:${round % 7}`;
        await (round % 5 === 3 ? by.call("del", key) : by.call("set", key, round));
      };
      const reading = all.map((watch) =>
        until(watch, new Map(), (states) => states.get("end") === true),
      );
      const writing = [writer, other].map(async (by) => {
        for (let round = 0; round < rounds; round++) await write(by, round);
      });
      await Promise.all(writing);
      await writer.call("set", "w:end", true);
      const stored = Object.fromEntries(await store.prefix("w:").entries());
      const ends = await Promise.all(reading);
      for (const changes of ends) {
        const states: States = new Map();
        const versions = new Map<string, string>();
        for (const { key, entry } of changes) {
          if (entry === null) states.delete(key);
          else {
            // Two processes that write at once may store their versions in either order.
            const process = entry.version!.slice(-6);
            expect(entry.version! >= (versions.get(key + process) ?? "")).toBe(true);
            versions.set(key + process, entry.version!);
            states.set(key, entry.value);
          }
        }
        // The end may overtake changes of other keys that were reported in the same batch.
        const missing = Object.keys(stored).filter((key) => states.get(key) !== stored[key]);
        expect(missing).toEqual([]);
      }
    } finally {
      await other.end();
    }
  });
}
