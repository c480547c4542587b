import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../../src/api.ts";
import { increment, setIfAbsent, take, update } from "../../src/atomic/index.ts";
import kv, { type Client, type KvError } from "../../src/index.ts";
import { lanesOf, type Scope } from "../../src/concurrency/lanes.ts";
import { Order } from "../../src/concurrency/order.ts";

/** A client whose calls take a random time each, so that its own order is none. */
function shuffling(): { client: Client; data: Map<string, unknown> } {
  const data = new Map<string, unknown>();
  const later = <T>(work: () => T): Promise<T> =>
    new Promise((resolve) => setTimeout(() => resolve(work()), Math.random() * 4));
  const client = {
    get: (key: string) => later(() => data.get(key)),
    set: (key: string, value: unknown) => later(() => void data.set(key, value)),
    del: (key: string) => later(() => void data.delete(key)),
    async *iterate(prefix: string) {
      for (const [key, value] of [...data])
        if (key.startsWith(prefix)) yield await later(() => [key, value]);
    },
  };
  return { client, data };
}

/** A client that does not answer so many of the next calls. */
function hanging(): { client: Client; state: { hung: number; sent: string[] } } {
  const data = new Map<string, unknown>();
  const state = { hung: 0, sent: [] as string[] };
  const answer = <T>(name: string, work: () => T): Promise<T> => {
    state.sent.push(name);
    return state.hung-- > 0 ? new Promise(() => {}) : Promise.resolve().then(work);
  };
  const client = {
    get: (key: string) => answer(`get ${key}`, () => data.get(key)),
    set: (key: string, value: unknown) => answer(`set ${key}`, () => void data.set(key, value)),
    *iterate() {
      yield* data;
    },
  };
  return { client, state };
}

const hangingIterator = (): AsyncIterator<[string, unknown]> => ({
  next: () => new Promise(() => {}),
});

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: KvError) => error.code);

describe("the first calls, before their code is loaded", () => {
  let folder: string;
  beforeEach(() => {
    vi.resetModules();
    folder = mkdtempSync(path.join(tmpdir(), "anykv-order-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const clients: { [name: string]: () => Client } = {
    memory: () => new Map(),
    "a client with calls of random length": () => shuffling().client,
    "a promise of a client": async () => new Map(),
    "a file": () => pathToFileURL(path.join(folder, "data.json")),
    "a folder": () => pathToFileURL(`${folder}/records/`),
  };
  // Each line: the calls, and what is stored behind them.
  const lines: [name: string, calls: (store: Store) => unknown[], left: object][] = [
    ["set, clear", (store) => [store.set("k", 1), store.clear()], {}],
    ["set, clear, set", (store) => [store.set("k", 1), store.clear(), store.set("k", 2)], { k: 2 }],
    ["clear, set", (store) => [store.clear(), store.set("k", 5)], { k: 5 }],
    [
      "setMany, set",
      (store) => [store.setMany([["k", "old"]]), store.set("k", "new")],
      { k: "new" },
    ],
    ["setMany, del", (store) => [store.setMany([["k", 1]]), store.del("k")], {}],
    [
      "set, delMany, set",
      (store) => [store.set("k", 1), store.delMany(["k"]), store.set("k", 2)],
      { k: 2 },
    ],
    [
      "commit, set",
      (store) => [store.commit([], [{ key: "k", value: 1 }]), store.set("k", 2)],
      { k: 2 },
    ],
    [
      "touch, set",
      (store) => [store.set("k", 1), store.touch("k", 0), store.set("k", 2)],
      { k: 2 },
    ],
    [
      "through prefixes",
      (store) => [
        store.prefix("p:").clear(),
        store.set("p:k", 1),
        store.prefix("p").setMany([[":k", 2]]),
        store.prefix("p:").set("k", 3),
      ],
      { "p:k": 3 },
    ],
  ];
  for (const [client, make] of Object.entries(clients)) {
    for (const [name, calls, left] of lines) {
      it(`${name}: take effect in call order on ${client}`, async () => {
        const fresh = (await import("../../src/index.ts")).default;
        const store = fresh(make() as Client);
        await Promise.all(calls(store));
        expect(await store.all()).toEqual(left);
        await store.close();
      });
    }

    it(`reads see the writes before them, and not those behind, on ${client}`, async () => {
      const fresh = (await import("../../src/index.ts")).default;
      const store = fresh(make() as Client);
      const results = await Promise.all([
        store.get("k"),
        store.setMany([["k", 1]]),
        store.get("k"),
        store.keys(),
        store.clear(),
        store.has("k"),
        store.list(),
        store.set("k", 2),
        store.entry("k").then((entry) => entry?.value),
      ]);
      expect(results).toEqual([
        null,
        ["k"],
        1,
        ["k"],
        undefined,
        false,
        { entries: [], cursor: null },
        "k",
        2,
      ]);
      await store.close();
    });
  }

  it("keeps the arguments from the moment of the call", async () => {
    const fresh = (await import("../../src/index.ts")).default;
    const store = fresh(new Map());
    const value = { list: [1], self: undefined as unknown };
    const pairs: [string, unknown][] = [["a", value]];
    const written = store.setMany(pairs as [string, string][]);
    value.list.push(2);
    pairs.push(["b", 1]);
    await written;
    expect(await store.all()).toEqual({ a: { list: [1] } });
    value.self = value;
    vi.resetModules();
    const again = (await import("../../src/index.ts")).default();
    await expect(again.setMany([["a", value as never]])).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
    });
  });
});

describe("stores over one client", () => {
  it("share one order, whichever of them is called", async () => {
    const { client } = shuffling();
    const [one, other] = [kv(client), kv(kv(kv(client)))];
    await Promise.all([
      one.set("k", 1),
      other.set("k", 2),
      one.set("k", 3),
      other.prefix("").set("k", 4),
    ]);
    expect(await one.get("k")).toBe(4);
    expect(
      await Promise.all([one.set("k", 5), other.get("k"), other.del("k"), one.get("k")]),
    ).toEqual(["k", 5, "k", null]);
  });

  it("share it where the client is a promise, too", async () => {
    const { client } = shuffling();
    const [one, other] = [kv(Promise.resolve(client) as never), kv(client)];
    await one.get("k");
    await Promise.all([one.set("k", 1), other.set("k", 2)]);
    expect(await one.get("k")).toBe(2);
  });

  it("share it where the client is a URL", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "anykv-order-"));
    const url = pathToFileURL(path.join(folder, "data.json"));
    const [one, other] = [kv(url), kv(String(url) as never)];
    for (let i = 0; i < 10; i++) {
      await Promise.all([one.set("k", i), other.set("k", -i), other.clear(), one.set("k", "last")]);
      expect(await other.get("k")).toBe("last");
    }
    await Promise.all([one.close(), other.close()]);
    rmSync(folder, { recursive: true });
  });
});

describe("the atomic API", () => {
  it("takes its place in the order", async () => {
    const { client } = shuffling();
    const store = kv<number | string>(client as Client);
    const results = await Promise.all([
      increment(store, "n"),
      store.get("n"),
      store.set("n", 10),
      increment(store, "n", 5),
      update(store, "n", (value) => (value as number) * 2),
      take(store, "n"),
      setIfAbsent(store, "n", 7),
      store.get("n"),
    ]);
    expect(results).toEqual([1, 1, "n", 15, 30, 30, true, 7]);
  });

  it("does not lock out the callback of update()", async () => {
    const store = kv<number>(shuffling().client);
    await store.set("n", 1);
    const result = await update(store, "n", async (value) => {
      const again = await store.get("n");
      return value! + again!;
    });
    expect(result).toBe(2);
  });
});

describe("an operation that gets no answer", () => {
  it("does not hold back later ones beyond its own time limit", async () => {
    const { client, state } = hanging();
    const store = kv(client, { timeout: "2s" });
    await store.set("k", 0);
    state.hung = 1;
    const first = codeOf(store.set("k", 1));
    const results = await Promise.all([first, store.set("k", 2), store.get("k"), store.keys()]);
    expect(results).toEqual(["KV_CONNECTION", "k", 2, ["k"]]);
  });

  it("does not let a long line of calls wait one after the other", async () => {
    const { client, state } = hanging();
    const store = kv(client, { timeout: "50ms" });
    await kv(client).set("k", 0);
    state.hung = Infinity;
    state.sent = [];
    const calls = Array.from({ length: 50 }, (_, i) => codeOf(store.set("k", i)));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["KV_CONNECTION"]));
    // The rest was not sent: it would have waited for each of these.
    expect(state.sent.length).toBeLessThan(5);
    state.hung = 0;
    await kv(client).set("k", "after");
    expect(await kv(client).get("k")).toBe("after");
  });

  it("does not hold back a store with a shorter timeout", async () => {
    const { client, state } = hanging();
    const [hasty, patient] = [kv(client, { timeout: "50ms" }), kv(client, { timeout: 0 })];
    await patient.set("k", 0);
    state.hung = 1;
    const first = patient.set("k", 1);
    let isOver = false;
    void first.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    state.sent = [];
    const calls = [hasty.set("k", 2), hasty.get("k"), hasty.commit([], [{ key: "k", value: 3 }])];
    expect(await Promise.all(calls.map(codeOf))).toEqual(Array(3).fill("KV_CONNECTION"));
    // A write beside the pending one could be overtaken by it.
    expect([state.sent, isOver]).toEqual([[], false]);
  });

  it("does not hold back writes for long when it is a listing", async () => {
    const { client } = hanging();
    const iterate = (): unknown => ({ [Symbol.asyncIterator]: hangingIterator });
    const silent = { ...(client as object), iterate } as unknown as Client;
    await kv(silent).set("k", 0);
    void kv(silent, { timeout: 0 }).keys();
    const hasty = kv(silent, { timeout: "50ms" });
    expect(await hasty.set("k", 1)).toBe("k");
    expect(await hasty.get("k")).toBe(1);
  });

  it("does not hold back other keys", async () => {
    const { client, state } = hanging();
    const store = kv(client, { timeout: "5s" });
    await store.set("a", 0);
    state.hung = 1;
    const hung = store.set("a", 1);
    hung.catch(() => {});
    expect(await store.set("b", 2)).toBe("b");
    await store.close();
  });
});

describe("a listing", () => {
  it("holds back later writes under its prefix alone, and not for ever", async () => {
    let answer = (): void => {};
    const data = new Map<string, unknown>();
    const client = {
      get: async (key: string) => data.get(key),
      set: async (key: string, value: unknown) => void data.set(key, value),
      async *iterate(prefix: string) {
        await new Promise<void>((resolve) => (answer = resolve));
        for (const pair of [...data]) if (pair[0].startsWith(prefix)) yield pair;
      },
    };
    const store = kv(client, { timeout: 0 });
    await store.set("p:a", 1);
    const keys = store.prefix("p:").keys();
    expect(await store.set("q:a", 1)).toBe("q:a");
    let isDone = false;
    const write = store.set("p:b", 2).then(() => (isDone = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isDone).toBe(false);
    await write;
    answer();
    expect((await keys).length).toBeGreaterThanOrEqual(1);
  });

  it("may write while it streams", async () => {
    const store = kv(shuffling().client);
    await store.setMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    for await (const [key] of store) await store.del(key);
    expect(await store.keys()).toEqual([]);
  });
});

describe("the lanes of an order", () => {
  it("lets counts on a key go beside each other, and everything else wait for all", async () => {
    const lanes = lanesOf(new Order());
    const events: string[] = [];
    const ends: (() => void)[] = [];
    const begin = (name: string, inOrder: "counts" | null): Promise<unknown> =>
      Promise.resolve(
        lanes.run(
          { write: ["k"] },
          () => {
            events.push(name);
            return new Promise<void>((resolve) => ends.push(resolve));
          },
          Infinity,
          inOrder,
        ),
      );
    const turns = [begin("count 1", "counts"), begin("count 2", "counts")];
    turns.push(begin("set", null), begin("count 3", "counts"));
    expect(events).toEqual(["count 1", "count 2"]);
    // The second one ends first: what comes behind waits for the first one too.
    ends[1]!();
    await turns[1];
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events).toEqual(["count 1", "count 2"]);
    ends[0]!();
    await expect.poll(() => events).toEqual(["count 1", "count 2", "set"]);
    ends[2]!();
    await expect.poll(() => events).toEqual(["count 1", "count 2", "set", "count 3"]);
    ends[3]!();
    await Promise.all(turns);
  });

  it.each([1, 40])("lets writes wait for a read of their keys among %i", async (count) => {
    const lanes = lanesOf(new Order());
    const keys = Array.from({ length: count }, (_, i) => `k${i}`);
    const begun: string[] = [];
    const write = (name: string, scope: Scope): unknown =>
      lanes.run(scope, async () => void begun.push(name));
    const gate = Promise.withResolvers<void>();
    const read = lanes.run({ read: keys }, () => gate.promise);
    const writes = [
      write("of the last", { write: [keys.at(-1)!] }),
      write("under a prefix", { writeUnder: "k" }),
      write("of others", { write: ["j", "other"] }),
      write("under another prefix", { writeUnder: "o" }),
    ];
    const reads = [lanes.run({ read: keys }, async () => void begun.push("another read"))];
    await writes[3];
    expect(begun).toEqual(["of others", "under another prefix"]);
    gate.resolve();
    await Promise.all([read, ...writes, ...reads]);
    expect(begun).toEqual([
      "of others",
      "under another prefix",
      "of the last",
      "under a prefix",
      "another read",
    ]);
    // Nothing is left of them: a later write begins at once.
    void write("later", { write: keys });
    expect(begun.at(-1)).toBe("later");
  });

  it("keeps nothing of finished work", async () => {
    const order = new Order();
    const lanes = lanesOf(order);
    const results = Array.from({ length: 100 }, (_, i) =>
      lanes.run({ write: [`k${i % 7}`], read: ["r"] }, async () => i),
    );
    expect(await Promise.all(results)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await Promise.all([lanes.run({ writeUnder: "" }, async () => {}), lanes.settled("")]);
    expect(order.pending).toBe(0);
    expect(lanes.run({ write: ["k1"] }, () => "at once")).toBe("at once");
  });

  it("answers at once when nothing is in the way", async () => {
    const lanes = lanesOf(new Order());
    const slow = lanes.run(
      { write: ["a"] },
      () => new Promise((resolve) => setTimeout(resolve, 5)),
    );
    expect(lanes.run({ write: ["b"], read: ["c"] }, () => 1)).toBe(1);
    expect(lanes.run({ readUnder: "b" }, () => 2)).toBe(2);
    expect(lanes.run({ read: ["a"] }, () => 3)).toBeInstanceOf(Promise);
    await slow;
  });
});
