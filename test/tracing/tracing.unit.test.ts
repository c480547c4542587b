import { AsyncLocalStorage } from "node:async_hooks";
import diagnostics from "node:diagnostics_channel";
import { afterEach, describe, expect, it } from "vitest";
import { hit } from "../../src/atomic/index.ts";
import { createCache } from "../../src/cache/index.ts";
import { encrypted } from "../../src/encrypted/index.ts";
import { KvError } from "../../src/errors.ts";
import kv, { type Store } from "../../src/index.ts";
import { trace, traceAll, type TraceMessage } from "../../src/tracing/index.ts";

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
type Event = (typeof EVENTS)[number];

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** What is published of some operations, and the message as it was then. */
function listen(...operations: string[]): [string, Partial<TraceMessage>][] {
  const seen: [string, Partial<TraceMessage>][] = [];
  for (const operation of operations)
    for (const event of EVENTS) {
      const name = `tracing:anykv:${operation}:${event}`;
      const note = (message: unknown): void => {
        seen.push([`${operation} ${event}`, { ...(message as TraceMessage) }]);
      };
      diagnostics.subscribe(name, note);
      stops.push(() => diagnostics.unsubscribe(name, note));
    }
  return seen;
}

/** The messages of one event. */
const at = (
  seen: readonly [string, Partial<TraceMessage>][],
  event: Event,
): Partial<TraceMessage>[] =>
  seen.filter(([name]) => name.endsWith(` ${event}`)).map(([, message]) => message);

const outcomes = (seen: readonly [string, Partial<TraceMessage>][]): unknown[] =>
  at(seen, "asyncEnd").map(({ operation, outcome, count, hits }) => [
    operation,
    outcome,
    ...(count === undefined ? [] : [count]),
    ...(hits === undefined ? [] : [hits]),
  ]);

describe("trace()", () => {
  it("reports a call as Node's own channels do", async () => {
    const seen = listen("get");
    await trace(kv(new Map())).get("a");
    expect(seen.map(([name]) => name)).toEqual([
      "get start",
      "get end",
      "get asyncStart",
      "get asyncEnd",
    ]);
    expect(seen[0]![1]).toEqual({ client: "MEMORY", operation: "get" });
    const { duration, ...rest } = seen[3]![1];
    expect(rest).toEqual({ client: "MEMORY", operation: "get", outcome: "miss" });
    expect(duration).toBeGreaterThanOrEqual(0);
  });

  it("says how each operation ended", async () => {
    const store = trace(kv(new Map())) as Store;
    const seen = listen(
      ...["get", "set", "has", "del", "add", "getMany", "setMany", "delMany", "entry", "touch"],
      ...[
        "keys",
        "values",
        "entries",
        "all",
        "list",
        "iterate",
        "commit",
        "clear",
        "prune",
        "count",
      ],
    );
    await store.set("a", 1);
    await store.get("a");
    await store.get("b");
    await store.has("a");
    await store.entry("b");
    await store.touch("a", "1h");
    await store.touch("b", "1h");
    await store.getMany(["a", "b"]);
    await store.setMany([["b", 2]]);
    await store.keys();
    await store.values();
    await store.entries();
    await store.all();
    await store.list({ limit: 1 });
    for await (const _ of store) break;
    for await (const pair of store) expect(pair.length).toBe(2);
    await store.commit([{ key: "a", version: null }], []);
    await store.commit([], [{ key: "c", value: 1 }]);
    await store.delMany(["c"]);
    await store.del("b");
    await store.add(1);
    await store.prune();
    await store.clear();
    expect(outcomes(seen)).toEqual([
      ["set", "ok"],
      ["get", "hit"],
      ["get", "miss"],
      ["has", "hit"],
      ["entry", "miss"],
      ["touch", "hit"],
      ["touch", "miss"],
      ["getMany", "miss", 2, 1],
      ["setMany", "ok", 1],
      ["keys", "ok", 2],
      ["values", "ok", 2],
      ["entries", "ok", 2],
      ["all", "ok", 2],
      ["list", "ok", 1],
      ["iterate", "ok", 1],
      ["iterate", "ok", 2],
      ["commit", "conflict"],
      ["commit", "ok"],
      ["delMany", "ok", 1],
      ["del", "ok"],
      ["add", "ok"],
      ["prune", "ok", 0],
      ["clear", "ok"],
    ]);
  });

  it("reports errors by their code, without keys, values and causes", async () => {
    const secret = "s3cr3t";
    const store = trace(
      kv({
        get: () => {
          throw new Error(`cannot read ${secret}`);
        },
        set: () => undefined,
      }),
    );
    const seen = listen("get", "set");
    await expect(store.get(secret)).rejects.toMatchObject({ code: "KV_CONNECTION", key: secret });
    await expect(store.set("a", { [secret]: new Date() } as never)).rejects.toThrow(/Date/);
    expect(seen.map(([name]) => name)).toContain("get error");
    const errors = at(seen, "asyncEnd");
    expect(errors.map(({ outcome }) => outcome)).toEqual(["KV_CONNECTION", "KV_INVALID_VALUE"]);
    for (const { error } of errors) {
      expect(error).toBeInstanceOf(KvError);
      expect(String(error!.stack) + JSON.stringify(error)).not.toContain(secret);
      expect(error!.cause).toBe(undefined);
    }
  });

  it("names full keys only if that is asked for", async () => {
    const seen = listen("get", "getMany", "setMany", "commit");
    const use = async (store: Store): Promise<void> => {
      await store.get("a");
      await store.getMany(["a", "b"]);
      await store.getMany(new Set(["x"]).values());
      await store.setMany([["c", 1]]);
      await store.commit([{ key: "d", version: null }], [{ key: "e", value: 1 }]);
      await store.get(5 as never).catch(() => {});
      await store.commit([null as never], [undefined as never]).catch(() => {});
    };
    await use(trace(kv(new Map())));
    for (const [, message] of seen) expect(message).not.toHaveProperty("keys");
    seen.length = 0;
    await use(trace(kv(new Map(), { prefix: "p:" }), { keys: true }));
    expect(at(seen, "start").map(({ keys }) => keys)).toEqual([
      ["p:a"],
      ["p:a", "p:b"],
      [],
      ["p:c"],
      ["p:d", "p:e"],
      [],
      [],
    ]);
  });

  it("changes no result, and no argument", async () => {
    const run = async (store: Store): Promise<unknown[]> => {
      const results: unknown[] = [];
      const keys = function* (): Generator<string> {
        yield "a";
        yield "b";
      };
      for (const work of [
        () => store.set("a", { n: 1 }),
        () => store.getMany(keys()),
        () => store.getMany("ab" as never),
        () => store.commit(undefined as never, null as never),
        () => store.setMany(5 as never),
        () => ["a", "b"].map(store.get)[0],
        () => (store.keys as (x: string) => Promise<unknown>)("x"),
        () => store.list({ bad: 1 } as never),
        async () => {
          for await (const pair of (store.iterate as (x: string) => AsyncIterable<unknown>)("x"))
            return pair;
          return 0;
        },
      ])
        results.push(
          await Promise.resolve(work()).catch(({ code, message }: KvError) => [code, message]),
        );
      return results;
    };
    listen("get", "set", "getMany", "setMany", "commit", "keys", "list", "iterate");
    expect(await run(trace(kv(new Map())))).toEqual(await run(kv(new Map())));
  });

  it("reports the error of an iteration", async () => {
    const seen = listen("iterate");
    const store = trace(
      kv({
        get: () => null,
        set: () => undefined,
        *iterate(): Generator<[string, unknown]> {
          yield ["a", 1];
          throw new Error("no");
        },
      }),
    );
    await expect(
      (async () => {
        for await (const pair of store) expect(pair).toBe(0);
      })(),
    ).rejects.toMatchObject({ code: "KV_CONNECTION" });
    expect(outcomes(seen)).toEqual([["iterate", "KV_CONNECTION"]]);
  });

  it("traces the stores and APIs that are made of it", async () => {
    const store = trace(kv(new Map(), { prefix: "a:" }), { keys: true });
    const seen = listen("set", "count", "commit");
    await store.prefix("b:").set("c", 1);
    await kv(store, { expires: "1h" }).set("c", 1);
    await encrypted(store, { keys: [{ id: "1", key: new Uint8Array(32) }] }).set("d", 1);
    await hit(store as Store, "h", "1m");
    expect(at(seen, "start").map(({ operation, keys }) => [operation, ...keys!])).toEqual([
      ["set", "a:b:c"],
      ["set", "a:c"],
      ["set", "a:d"],
      ["count", "a:h"],
      ["commit", "a:h", "a:h"],
    ]);
  });

  it("reports a call once, however often a store is traced", async () => {
    const seen = listen("get");
    await trace(trace(trace(kv(new Map())).prefix("a:")), { keys: true }).get("b");
    expect(at(seen, "start").map(({ keys }) => keys)).toEqual([["a:b"]]);
  });

  it("runs a call in the context that a subscriber binds to its channel", async () => {
    const spans = new AsyncLocalStorage<string>();
    const channel = diagnostics.tracingChannel<unknown, TraceMessage>("anykv:get");
    channel.start.bindStore(spans, ({ operation }) => `span of ${operation}`);
    stops.push(() => void channel.start.unbindStore(spans));
    let inside: string | undefined;
    const store = trace(
      kv({
        get: () => {
          inside = spans.getStore();
          return null;
        },
        set: () => undefined,
      }),
    );
    await store.get("a");
    expect(inside).toBe("span of get");
    expect(spans.getStore()).toBe(undefined);
  });

  it("knows the client of a promise at the end", async () => {
    const seen = listen("get");
    await trace(kv(Promise.resolve(new Map()))).get("a");
    expect(seen.map(([, { client }]) => client)).toEqual([
      "PENDING",
      "PENDING",
      "MEMORY",
      "MEMORY",
    ]);
  });

  it("reports how getOrSet() was answered", async () => {
    const seen = listen("getOrSet");
    const cache = createCache(trace(kv(new Map()), { keys: true }), { ttl: "1h", grace: "1h" });
    const load = async (): Promise<number> => 1;
    await Promise.all([cache.getOrSet("a", load), cache.getOrSet("a", load)]);
    await cache.getOrSet("a", load);
    await cache.expire("a");
    await cache.getOrSet("a", load);
    const failing = cache.getOrSet("b", async () => {
      throw new Error("down");
    });
    await expect(failing).rejects.toThrow("down");
    const ends = at(seen, "asyncEnd").map(({ keys, outcome }) => [keys![0], outcome]);
    expect(ends).toEqual([
      ["v:a", "miss"],
      ["v:a", "coalesced"],
      ["v:a", "hit"],
      ["v:a", "stale"],
      ["v:b", "error"],
    ]);
    const l2 = trace(kv(new Map()));
    const tiers = createCache({ l1: { entries: 5 }, l2 }, { ttl: "1h" });
    seen.length = 0;
    await tiers.getOrSet("a", load);
    await tiers.getOrSet("a", load);
    expect(outcomes(seen)).toEqual([
      ["getOrSet", "miss"],
      ["getOrSet", "hit"],
    ]);
    const symbol = Symbol("s") as never;
    await expect(cache.getOrSet(symbol, load)).rejects.toMatchObject({ code: "KV_INVALID_KEY" });
    await tiers.close();
    await cache.close();
  });

  it("reports how many values getOrSetMany() found", async () => {
    const seen = listen("getOrSetMany");
    const store = trace(kv(new Map()), { keys: true });
    const load = async (keys: readonly string[]): Promise<string[]> => [...keys];
    for (const l1 of [{ entries: 5 }, undefined]) {
      const base = store.prefix(`${l1 === undefined}:`);
      const cache = createCache(l1 === undefined ? base : { l1, l2: base }, { ttl: "1h" });
      await cache.getOrSetMany(["a", "b", "a"], load);
      await cache.getOrSetMany(["a", "c"], load);
      await cache.getOrSetMany(["a", "b", "c"], load);
      await expect(cache.getOrSetMany(["d"], async () => [])).rejects.toThrow("a list");
      const ends = at(seen, "asyncEnd").map((end) => [end.outcome, end.count, end.hits]);
      expect(ends).toEqual([
        ["miss", 2, 0],
        ["miss", 2, 1],
        ["hit", 3, 3],
        ["KV_INVALID_VALUE", undefined, undefined],
      ]);
      expect(seen[0]![1].keys).toEqual([`${l1 === undefined}:v:a`, `${l1 === undefined}:v:b`]);
      seen.length = 0;
      await cache.close();
    }
  });

  it("survives a subscriber that unsubscribes during a call", async () => {
    const name = "tracing:anykv:get:start";
    const once = (): void => void diagnostics.unsubscribe(name, once);
    diagnostics.subscribe(name, once);
    expect(await trace(kv(new Map())).get("a")).toBe(null);
  });

  it("is the store itself where the runtime has no channels", async () => {
    const own = process.getBuiltinModule.bind(process);
    process.getBuiltinModule = ((name: string) =>
      name.endsWith("diagnostics_channel") ? undefined : own(name as never)) as never;
    try {
      const seen = listen("get");
      expect(await trace(kv(new Map())).get("a")).toBe(null);
      expect(seen).toEqual([]);
    } finally {
      process.getBuiltinModule = own;
    }
  });

  it.each([{ key: true }, true, "keys"])("rejects the options %j", (options) => {
    const refused = expect.objectContaining({ code: "KV_INVALID_VALUE" });
    expect(() => trace(kv(new Map()), options as never)).toThrow(refused);
    expect(() => traceAll(options as never)).toThrow(refused);
  });

  it("rejects a value that is no store", () => {
    expect(() => trace(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
  });
});

describe("traceAll()", () => {
  it("traces the stores that are made from then on", async () => {
    const seen = listen("get");
    const before = kv(new Map());
    traceAll();
    const after = kv(new Map());
    const { tracing } = await import("../../src/store/tracer.ts");
    tracing.tracer = undefined;
    await before.get("a");
    expect(seen).toEqual([]);
    await after.prefix("b").get("a");
    expect(outcomes(seen)).toEqual([["get", "miss"]]);
  });
});
