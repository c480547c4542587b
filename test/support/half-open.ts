import { expect, it, type TestContext } from "vitest";
import type { KvOptions, Store } from "../../src/api.ts";
import { isKvError } from "../../src/errors.ts";
import { until } from "./daemon.ts";
import { type SilencingProxy, silencingProxy } from "./silencing-proxy.ts";

/** A server, and how to open a store over it through another port. */
export interface HalfOpenSubject {
  readonly name: string;
  /** The ports of the server or its nodes, which are up. */
  ports(): readonly number[];
  /** A store over a client of its own, through another port of this machine for each of them. */
  open(ports: readonly number[], options: KvOptions): Store | Promise<Store>;
  /** Whether the client goes on only in a program that makes one request after the other. */
  readonly isQuiet?: boolean;
}

/** What became of requests that were made one after the other. */
interface Outcomes {
  readonly acknowledged: Set<string>;
  readonly attempted: Set<string>;
  refused: number;
}

/** Waits for a request. Counts it as refused for KV_CONNECTION; other failures are thrown. */
async function attempt<T>(outcomes: Outcomes, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!isKvError(error, "KV_CONNECTION")) throw error;
    outcomes.refused++;
    return null;
  }
}

const outcomes = (): Outcomes => ({ acknowledged: new Set(), attempted: new Set(), refused: 0 });

/** Writes rising numbers under a key until it is told to end. */
async function writer(store: Store, key: string, over: AbortSignal): Promise<Outcomes> {
  const found = outcomes();
  for (let n = 1; !over.aborted; n++) {
    found.attempted.add(String(n));
    const done = await attempt(found, () => store.set(key, n));
    if (done !== null) found.acknowledged.add(String(n));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return found;
}

/** Adds names to a list by compare-and-set until it is told to end: each name at most once. */
async function counter(store: Store, key: string, over: AbortSignal): Promise<Outcomes> {
  const found = outcomes();
  for (let n = 1; !over.aborted; n++) {
    await attempt(found, async () => {
      const entry = await store.entry<string[]>(key);
      const name = `${key} ${n}`;
      found.attempted.add(name);
      const value = [...(entry?.value ?? []), name];
      const { ok } = await store.commit(
        [{ key, version: entry?.version ?? null }],
        [{ key, value }],
      );
      if (ok) found.acknowledged.add(name);
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return found;
}

/**
 * How many requests in a row are refused after all connections have become half-open, and for how
 * long.
 */
async function refusalsAfter(store: Store, silence: () => void): Promise<[number, number]> {
  const found = outcomes();
  silence();
  const begin = performance.now();
  for (;;) {
    const before = found.refused;
    await attempt(found, () => store.set("probe", found.refused));
    if (found.refused === before) return [found.refused, performance.now() - begin];
    expect(found.refused, "requests refused in a row").toBeLessThan(20);
  }
}

/**
 * Connections become half-open: a store goes on over new ones. A machine that is too busy for the
 * timeout gets a longer one.
 */
export function halfOpen({ name, ports, open, isQuiet = false }: HalfOpenSubject): void {
  async function start(
    timeout: number,
    { onTestFinished }: TestContext,
  ): Promise<{ store: Store; proxies: readonly SilencingProxy[] }> {
    const proxies = await Promise.all(ports().map((port) => silencingProxy(port)));
    const own = proxies.map(({ port }) => port);
    const store = await open(own, { timeout, prefix: `${Math.random()} ` });
    onTestFinished(async () => {
      await store.close().catch(() => undefined);
      await Promise.all(proxies.map((proxy) => proxy.remove()));
    });
    await until("the store works", () =>
      store.set("a", 1).then(
        () => true,
        () => false,
      ),
    );
    // A pool has several connections then.
    const isSet = (i: number): Promise<boolean> =>
      store.set(`warm ${i}`, i).then(
        () => true,
        // A busy machine may need longer than the timeout.
        () => false,
      );
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => until(`write ${i} is made`, () => isSet(i))),
    );
    return { store, proxies };
  }

  it(`${name} refuses two requests at most when its connections become half-open`, async (test) => {
    for (let timeout = 1; ; timeout *= 3) {
      const { store, proxies } = await start(timeout, test);
      const made = (): number => proxies.reduce((sum, proxy) => sum + proxy.made, 0);
      const before = made();
      const [refused, ms] = await refusalsAfter(store, () =>
        proxies.forEach((proxy) => proxy.silence("everything")),
      );
      console.log(`${name}, timeout ${timeout} s: ${refused} refused, ${Math.round(ms)} ms`);
      if (refused > 2 && timeout < 3) continue;
      expect(refused).toBeLessThanOrEqual(2);
      expect(made()).toBeGreaterThan(before);
      return;
    }
  });

  it.for(isQuiet ? [] : (["everything", "answers"] as const))(
    `${name} loses no acknowledged write, and makes none twice, when %s is lost`,
    async (lost, test) => {
      const { store, proxies } = await start(1, test);
      const over = new AbortController();
      const writers = ["w1", "w2", "w3"].map((key) => writer(store, key, over.signal));
      const counters = ["c1", "c2"].map((key) => counter(store, key, over.signal));
      const work = Promise.all([...writers, ...counters]);
      for (let round = 0; round < 2; round++) {
        const [c1, w1] = [await sizeOf(store, "c1"), await numberAt(store, "w1")];
        await until("all go on", async () => {
          const [count, number] = [await sizeOf(store, "c1"), await numberAt(store, "w1")];
          return count > c1 + 3 && number > w1 + 3;
        });
        await refusalsAfter(store, () => proxies.forEach((proxy) => proxy.silence(lost)));
      }
      await until("all work again", async () => {
        const [before, number] = [await sizeOf(store, "c2"), await numberAt(store, "w2")];
        await new Promise((resolve) => setTimeout(resolve, 100));
        return (await sizeOf(store, "c2")) > before && (await numberAt(store, "w2")) > number;
      });
      over.abort();
      const found = await work;
      for (const [i, key] of ["w1", "w2", "w3"].entries()) {
        const last = Math.max(...[...found[i]!.acknowledged].map(Number));
        expect(await numberAt(store, key)).toBeGreaterThanOrEqual(last);
      }
      for (const [i, key] of ["c1", "c2"].entries()) {
        const names = await namesAt(store, key);
        const { acknowledged, attempted } = found[3 + i]!;
        expect(new Set(names).size).toBe(names.length);
        for (const each of acknowledged) expect(names).toContain(each);
        for (const each of names) expect([...attempted]).toContain(each);
      }
    },
  );
}

/** Reads, again while that is refused. */
async function read(store: Store, key: string): Promise<unknown> {
  const found = outcomes();
  for (;;) {
    const before = found.refused;
    const value = await attempt(found, () => store.get(key));
    if (found.refused === before) return value;
    expect(found.refused, "reads refused in a row").toBeLessThan(20);
  }
}

const numberAt = async (store: Store, key: string): Promise<number> =>
  Number(await read(store, key));

const namesAt = async (store: Store, key: string): Promise<string[]> =>
  ((await read(store, key)) as string[] | null) ?? [];

const sizeOf = async (store: Store, key: string): Promise<number> =>
  (await namesAt(store, key)).length;
