import { describe, expect, it, vi } from "vitest";
import { type Busy, within } from "../../src/concurrency/timeout.ts";
import type { Connection } from "../../src/store/connection.ts";
import { isKvError, type KvError } from "../../src/errors.ts";
import { type Guarded, guardOf } from "../../src/store/guarded.ts";
import kv, {
  type Adapter,
  type CustomClient,
  type Json,
  type KvOptions,
  type Store,
} from "../../src/index.ts";
import { until } from "../support/daemon.ts";
import { eventually } from "../support/eventually.ts";

/** A client whose answers can be withheld. */
function silent(members: Partial<CustomClient> = {}): {
  client: CustomClient;
  data: Map<string, unknown>;
  hush(): void;
  answer(): void;
} {
  const data = new Map<string, unknown>();
  let open = Promise.resolve();
  let answer = (): void => {};
  const client: CustomClient = {
    get: async (key) => (await open, data.get(key)),
    set: async (key, value) => (await open, void data.set(key, value)),
    del: async (key) => (await open, void data.delete(key)),
    async *iterate(prefix) {
      for (const [key, value] of [...data]) {
        await open;
        if (key.startsWith(prefix)) yield [key, value];
      }
    },
    close: async () => open,
    ...members,
  };
  return {
    client,
    data,
    hush: () => void (open = new Promise((resolve) => (answer = resolve))),
    answer: () => answer(),
  };
}

/** A store that waits 50 ms for its client. What is loaded by first use is loaded. */
async function hasty(client: CustomClient, options: KvOptions<Json> = {}): Promise<Store> {
  const store = kv(client);
  await store.set("a", 1);
  await store.keys();
  return kv(store, { timeout: "50ms", ...options } as object);
}

const every = (store: Store): { [name: string]: () => Promise<unknown> } => ({
  get: () => store.get("a"),
  set: () => store.set("a", 1),
  add: () => store.add(1),
  del: () => store.del("a"),
  has: () => store.has("a"),
  entry: () => store.entry("a"),
  touch: () => store.touch("a", "1h"),
  getMany: () => store.getMany(["a", "b"]),
  setMany: () => store.setMany([["a", 1]]),
  delMany: () => store.delMany(["a"]),
  keys: () => store.keys(),
  values: () => store.values(),
  entries: () => store.entries(),
  all: () => store.all(),
  list: () => store.list(),
  iterate: () => store.iterate().next(),
  commit: () => store.commit([{ key: "a", version: null }], []),
  clear: () => store.clear(),
  prune: () => store.prune(),
});

const late = (error: unknown): boolean =>
  isKvError(error, "KV_CONNECTION") && (error.cause as Error).name === "TimeoutError";

describe("a client that gives no answer", () => {
  for (const name of Object.keys(every(kv()))) {
    it(`${name} rejects after the timeout, and works when the client answers again`, async () => {
      const { client, hush, answer } = silent();
      const store = await hasty(client);
      hush();
      const error = await every(store)[name]!().then(
        () => "answered",
        (error: KvError) => error,
      );
      expect(error).toSatisfy(late);
      answer();
      expect(await every(store)[name]!()).not.toBe(error);
      expect(await store.set("a", 2)).toBe("a");
      expect(await store.get("a")).toBe(2);
    });
  }

  it("is not waited for by close()", async () => {
    const { client, hush } = silent();
    const store = await hasty(client);
    hush();
    await expect(store.close()).rejects.toSatisfy(late);
    await expect(store.get("a")).rejects.toMatchObject({ code: "KV_CLOSED" });
  });

  it("may be a promise that never settles, for a while", async () => {
    let settle!: (client: unknown) => void;
    const store = kv(new Promise<never>((resolve) => (settle = resolve as typeof settle)), {
      timeout: "20ms",
    });
    for (const [name, operation] of Object.entries(every(store)))
      await expect(operation(), name).rejects.toSatisfy(late);
    settle(new Map());
    // Its adapter is loaded first, which may take longer than this store waits.
    await eventually(() => store.set("a", 1)).toBe("a");
    expect(await store.keys()).toEqual(["a"]);
  });

  it("names the operation and the key, and not the value", async () => {
    const { client, hush } = silent();
    const store = await hasty(client, { prefix: "p:" });
    hush();
    const error: KvError = await store.set("a", "secret").catch((error) => error);
    const reason = 'no answer within 0.05 s, the "timeout" of kv()';
    expect(error).toMatchObject({
      client: "CUSTOM",
      key: "p:a",
      message: `CUSTOM: writing "p:a" failed: ${reason}; it may still be carried out`,
    });
    expect(error.cause).toMatchObject({ name: "TimeoutError", message: reason });
    await expect(store.get("a")).rejects.toThrow(`CUSTOM: reading "p:a" failed: ${reason}`);
    const read: KvError = await store.has("a").catch((failure) => failure);
    expect(read.message).not.toContain("carried out");
  });

  it("that stops in the middle of a listing is released when it goes on", async () => {
    let released = false;
    const { client, hush, answer, data } = silent();
    const iterate = client.iterate!;
    client.iterate = async function* (prefix) {
      try {
        yield* iterate(prefix);
      } finally {
        released = true;
      }
    };
    const store = await hasty(client);
    await store.setMany(Array.from({ length: 1200 }, (_, i) => [`key ${i}`, i]));
    const iterator = store.iterate();
    await iterator.next();
    // Writes are followed by sweeps, which list as well.
    released = false;
    hush();
    const rest = (async () => {
      for await (const _ of iterator);
    })();
    await expect(rest).rejects.toSatisfy(late);
    expect(released).toBe(false);
    answer();
    await eventually(() => released).toBe(true);
    expect(data.size).toBe(1201);
  });
});

describe("the timeout", () => {
  it("is 5 s unless it is named, and 0 or null waits for as long as it takes", async () => {
    vi.useFakeTimers();
    try {
      const ended: string[] = [];
      const start = async (name: string, timeout?: number | string | null): Promise<void> => {
        const { client, hush } = silent();
        const store = kv(client, timeout === undefined ? {} : { timeout });
        await store.set("a", 1);
        hush();
        store.get("a").catch(() => ended.push(name));
      };
      await Promise.all([
        start("default"),
        start("2s", "2s"),
        start("3", 3),
        start("0", 0),
        start("null", null),
        start("30d", "30d"),
      ]);
      await vi.advanceTimersByTimeAsync(1990);
      expect(ended).toEqual([]);
      await vi.advanceTimersByTimeAsync(20);
      expect(ended).toEqual(["2s"]);
      await vi.advanceTimersByTimeAsync(2980);
      expect(ended).toEqual(["2s", "3"]);
      await vi.advanceTimersByTimeAsync(20);
      expect(ended).toEqual(["2s", "3", "default"]);
      await vi.advanceTimersByTimeAsync(100 * 24 * 3600_000);
      expect(ended).toEqual(["2s", "3", "default"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is due for each thousand keys of a batch", async () => {
    const asked: number[] = [];
    const never = new Promise<never>(() => {});
    const adapter = {
      get: () => null,
      set: () => {},
      del: () => {},
      setMany: (writes: readonly unknown[]) => (asked.push(writes.length), never),
    } as unknown as Adapter;
    const guard = guardOf(
      { open: () => adapter, source: { type: "SLOW" } } as unknown as Connection,
      1000,
    ) as Guarded;
    vi.useFakeTimers();
    try {
      const ended: number[] = [];
      for (const count of [1, 1000, 1001, 3000])
        (guard.setMany!(Array(count)) as Promise<void>).catch(() => ended.push(count));
      await vi.advanceTimersByTimeAsync(1010);
      expect(ended).toEqual([1, 1000]);
      await vi.advanceTimersByTimeAsync(1000);
      expect(ended).toEqual([1, 1000, 1001]);
      await vi.advanceTimersByTimeAsync(1000);
      expect(ended).toEqual([1, 1000, 1001, 3000]);
      expect(asked).toEqual([1, 1000, 1001, 3000]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("belongs to the store: one over another has its own, and substores keep it", async () => {
    const { client, hush } = silent();
    const patient = kv(client, { timeout: 0 });
    await patient.set("a", 1);
    await patient.keys();
    const inHaste = kv(patient.prefix("p:"), { timeout: "50ms" }).prefix("q:").expires("1h");
    hush();
    await expect(inHaste.get("a")).rejects.toSatisfy(late);
    await expect(inHaste.keys()).rejects.toSatisfy(late);
    const slow = Promise.race([
      patient.get("a").then(() => "answered"),
      new Promise((resolve) => setTimeout(resolve, 100, "waiting")),
    ]);
    expect(await slow).toBe("waiting");
  });

  it("is in seconds: a number that was meant in milliseconds is rejected", () => {
    for (const timeout of [601, 5000]) {
      const text =
        `timeout: ${timeout} would be ${timeout} seconds. Write ` +
        `"${timeout}ms" for milliseconds, or "${timeout}s"`;
      expect(() => kv(new Map(), { timeout })).toThrow(text);
      expect(() => kv(new Map(), { timeout })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_EXPIRES" }),
      );
    }
    for (const timeout of [600, "5000ms", "5000s", "2h", Infinity])
      expect(kv(new Map(), { timeout }).type).toBe("MEMORY");
  });

  it.each(["soon", "-1s", -1, NaN, "", {}, new Date(), true])("cannot be %s", (timeout) => {
    expect(() => kv(new Map(), { timeout: timeout as string })).toThrow(
      expect.objectContaining({ code: "KV_INVALID_EXPIRES" }),
    );
  });

  it("spares an answer that came while this program was busy", async () => {
    // By the end of the loop the answer and the timeout are both due.
    let isSlow = false;
    const { client } = silent({
      get: () =>
        isSlow ? new Promise((resolve) => setTimeout(resolve, 70, undefined)) : undefined,
    });
    const store = await hasty(client);
    isSlow = true;
    const found = store.get("a");
    await Promise.resolve();
    for (const end = performance.now() + 100; performance.now() < end;);
    expect(await found).toBe(null);
  });

  it("leaves no timer behind that keeps a program alive", async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const { client, hush, answer } = silent();
    const store = kv(client);
    await store.set("a", 1);
    await store.keys();
    expect(timers()).toBe(before);
    hush();
    const found = store.get("a");
    await until("a timer runs", () => timers() > before);
    answer();
    await found;
    await until("none is left", () => timers() === before);
  });
});

describe("requests in a row without an answer", () => {
  /** What `within` counts requests on. Says how often its connection was to be replaced. */
  function counted(): { busy: Busy; replaced: () => number } {
    let replaced = 0;
    return {
      busy: { running: 0, adapter: { replace: () => replaced++ } },
      replaced: () => replaced,
    };
  }
  const never = (): Promise<never> => new Promise(() => {});
  const misses = (busy: Busy, count: number, work: () => Promise<unknown> = never): Promise<void> =>
    Promise.all(
      Array.from({ length: count }, () =>
        expect(within(work(), 10, busy)).rejects.toSatisfy(isLate),
      ),
    ).then(() => undefined);
  const isLate = (error: Error): boolean => error.name === "TimeoutError";

  it("make the client replace its connection, whether they were made at once or not", async () => {
    const { busy, replaced } = counted();
    await misses(busy, 1);
    expect(replaced()).toBe(0);
    await misses(busy, 1);
    expect(replaced()).toBe(1);
    await misses(busy, 4);
    expect(replaced()).toBe(3);
  });

  it("do not, when any request is answered in between", async () => {
    const { busy, replaced } = counted();
    for (let i = 0; i < 3; i++) {
      await misses(busy, 1);
      await within(Promise.resolve(1), 10, busy);
      await misses(busy, 1);
      await within(Promise.reject(new Error("refused")), 10, busy).catch(() => undefined);
    }
    expect(replaced()).toBe(0);
  });

  it("do not, when the first one is answered too late", async () => {
    const { busy, replaced } = counted();
    let answer: ((value: unknown) => void) | undefined;
    await misses(busy, 1, () => new Promise((resolve) => (answer = resolve)));
    answer?.(1);
    await Promise.resolve();
    await misses(busy, 1);
    expect(replaced()).toBe(0);
  });
});
