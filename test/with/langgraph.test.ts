import {
  Annotation,
  BaseStore,
  Command,
  END,
  InMemoryStore,
  interrupt,
  MemorySaver,
  type LangGraphRunnableConfig,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { BaseCheckpointSaver, emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { langgraphCheckpointer, langgraphStore } from "../../src/with/langgraph/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";

/**
 * All but one case, which wants a checkpoint without unchanged channels. A fork counts the versions
 * of channels again, so that they cannot tell which value is which. LangGraph itself leaves the
 * case out for its savers in memory, SQLite and MongoDB.
 */
const caseOf = new Proxy(it, {
  apply: (target, self, args: Parameters<typeof it>) =>
    `${args[0] as string}`.startsWith("should only store channel_values that have changed")
      ? undefined
      : Reflect.apply(target, self, args),
});

// The suite of LangGraph takes the functions of the runner from there.
Object.assign(globalThis, {
  ...{ describe, test, expect, beforeAll, afterAll, beforeEach, afterEach },
  it: caseOf,
});
const { validate } = await import("@langchain/langgraph-checkpoint-validation");

let prefixes = 0;

async function all<T>(listed: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of listed) found.push(one);
  return found;
}

for (const [name, open] of INTEGRATION_STORES)
  validate({
    checkpointerName: `anykv on ${name}`,
    createCheckpointer: async () =>
      langgraphCheckpointer(BaseCheckpointSaver, (await open()).prefix(`suite${prefixes++}:`)),
  });

const State = Annotation.Root({
  steps: Annotation<string[]>({ reducer: (a, b) => [...a, ...b], default: () => [] }),
});

/** A graph that asks a person between two steps. */
function graphOver(checkpointer: BaseCheckpointSaver, store?: BaseStore) {
  return new StateGraph(State)
    .addNode("ask", async (_: typeof State.State, config: LangGraphRunnableConfig) => {
      await config.store?.put(["users", "ann"], "asked", { times: 1 });
      return { steps: [`answer: ${interrupt("really?") as string}`] };
    })
    .addNode("end", () => ({ steps: ["end"] }))
    .addEdge(START, "ask")
    .addEdge("ask", "end")
    .addEdge("end", END)
    .compile({ checkpointer, ...(store && { store }) });
}

describe.each(INTEGRATION_STORES)("LangGraph on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`lg${prefixes++}:`);
  const saverOver = (store: Store): BaseCheckpointSaver =>
    langgraphCheckpointer(BaseCheckpointSaver, store);

  it("goes on in another process after an interrupt", async () => {
    const store = await fresh();
    const memories = langgraphStore(BaseStore, store.prefix("memories:"));
    const threads = store.prefix("threads:");
    const config = { configurable: { thread_id: "1" } };
    await graphOver(saverOver(threads), memories).invoke({ steps: ["begin"] }, config);
    const other = graphOver(saverOver(threads), memories);
    expect((await other.getState(config)).next).toEqual(["ask"]);
    const done = await other.invoke(new Command({ resume: "yes" }), config);
    expect(done.steps).toEqual(["begin", "answer: yes", "end"]);
    expect((await memories.get(["users", "ann"], "asked"))!.value).toEqual({ times: 1 });
    const history = [];
    for await (const state of other.getStateHistory(config))
      history.push(state.values.steps.length);
    expect(history).toEqual([3, 2, 1, 0]);
    // Back in time: another beginning.
    const states = await all(other.getStateHistory(config));
    const before = states.find(({ next }) => next[0] === "ask")!;
    const fork = await other.updateState(before.config, { steps: ["again"] });
    await other.invoke(null, fork);
    const again = await other.invoke(new Command({ resume: "no" }), config);
    expect(again.steps).toEqual(["begin", "again", "answer: no", "end"]);
    expect((await other.getState(states[0]!.config)).values.steps).toEqual(done.steps);
  });

  it("agrees with the checkpointer in memory on the whole history", async () => {
    const tellAll = async (saver: BaseCheckpointSaver) => {
      const config = { configurable: { thread_id: "1" } };
      const graph = graphOver(saver);
      await graph.invoke({ steps: ["begin"] }, config);
      await graph.invoke(new Command({ resume: new Map([["a", new Set([1])]]) as never }), config);
      const tuples = await all(saver.list(config));
      return tuples.map(({ metadata, checkpoint, pendingWrites, parentConfig }) => ({
        step: metadata!.step,
        values: checkpoint.channel_values,
        writes: pendingWrites!.map(([, channel]) => channel),
        hasParent: parentConfig !== undefined,
      }));
    };
    expect(await tellAll(saverOver(await fresh()))).toEqual(await tellAll(new MemorySaver()));
  });

  it("lists the newest checkpoint first, also of several namespaces and threads", async () => {
    const saver = saverOver(await fresh());
    const ids = [0, 1, 2, 3, 4].map((clock) => uuid6(clock));
    const places = [
      ["1", ""],
      ["1", "child|a"],
      ["2", ""],
      ["1", "child|a"],
      ["1", ""],
    ] as const;
    for (const [i, [thread_id, checkpoint_ns]] of places.entries()) {
      const config = { configurable: { thread_id, checkpoint_ns } };
      const checkpoint = { ...emptyCheckpoint(), id: ids[i]! };
      await saver.put(config, checkpoint, { source: "loop", step: i, parents: {} }, {});
    }
    const listed = async (...args: Parameters<typeof saver.list>) =>
      (await all(saver.list(...args))).map(({ metadata }) => metadata!.step);
    const thread = { configurable: { thread_id: "1" } };
    expect(await listed(thread)).toEqual([4, 3, 1, 0]);
    expect(await listed(thread, { limit: 1 })).toEqual([4]);
    const before = { configurable: { thread_id: "1", checkpoint_id: ids[3]! } };
    expect(await listed(thread, { before })).toEqual([1, 0]);
    expect(await listed({ configurable: {} })).toEqual([4, 3, 2, 1, 0]);
    expect(await listed({ configurable: { checkpoint_ns: "child|a" } })).toEqual([3, 1]);
    const child = { configurable: { thread_id: "1", checkpoint_ns: "child|a" } };
    expect(await listed(child, { before })).toEqual([1]);
  });

  it("keeps threads apart, and deletes one", async () => {
    const store = await fresh();
    const graph = graphOver(saverOver(store));
    const threads = ["1", "1 c", "12", "__proto__", "ä/../%", "x".repeat(500)];
    const run = (thread_id: string) =>
      graph.invoke({ steps: [thread_id] }, { configurable: { thread_id } });
    await Promise.all(threads.map(run));
    const states = threads.map((thread_id) => graph.getState({ configurable: { thread_id } }));
    expect((await Promise.all(states)).map(({ values }) => values.steps)).toEqual(
      threads.map((thread) => [thread]),
    );
    await saverOver(store).deleteThread("1");
    const left = await all(saverOver(store).list({}));
    expect([...new Set(left.map(({ config }) => config.configurable!.thread_id))].sort()).toEqual(
      threads.filter((thread) => thread !== "1").sort(),
    );
    for (const thread of threads) await saverOver(store).deleteThread(thread);
    expect(await store.keys()).toEqual([]);
  });

  it("loses no writes of concurrent calls, and keeps bytes", async () => {
    const saver = saverOver(await fresh());
    const deep = Array.from({ length: 30 }, (_x, i) => `graph${i}:task`).join("|");
    const config = { configurable: { thread_id: "1", checkpoint_ns: deep } };
    const checkpoint = { ...(await import("@langchain/langgraph-checkpoint")).emptyCheckpoint() };
    checkpoint.id = uuid6(0);
    const put = await saver.put(config, checkpoint, { source: "loop", step: 0, parents: {} }, {});
    const bytes = new Uint8Array([0, 128, 255]);
    await Promise.all([
      saver.putWrites(
        put,
        [
          ["a", bytes],
          ["b", "\ud800"],
        ],
        "t".repeat(300),
      ),
      saver.putWrites(put, [["__error__", "x"]], "t".repeat(300)),
      saver.putWrites(
        put,
        [
          ["constructor", 1],
          ["__proto__", 2],
        ],
        "u",
        "path",
      ),
    ]);
    await saver.putWrites(put, [["a", "late"]], "u", "path");
    const tuple = (await saver.getTuple(config))!;
    expect(tuple.pendingWrites!.map(([task, ...rest]) => [task[0], ...rest])).toEqual([
      ["t", "__error__", "x"],
      ["t", "a", bytes],
      ["t", "b", "\ud800"],
      ["u", "constructor", 1],
      ["u", "__proto__", 2],
    ]);
    expect((await all(saver.list(config))).length).toBe(1);
  });

  it("keeps memories as the store in memory does", async () => {
    const tellAll = async (memories: BaseStore) => {
      await memories.put(["users", "ann"], "a", { n: 1, tag: "x" });
      await memories.put(["users", "ann"], "b", { n: 2, tag: "y" });
      await memories.put(["users", "bob", "deep"], "a", { n: 3, tag: "x" });
      await memories.put(["usersX"], "a", { n: 4, tag: "x" });
      const found = async (options: object, namespace = ["users"]) =>
        (await memories.search(namespace, options)).map(({ namespace: ns, key, value }) => [
          ...ns,
          key,
          value.n as number,
        ]);
      return [
        await found({}),
        await found({}, []),
        await found({ filter: { tag: "x" } }),
        await found({ filter: { n: { $gte: 2, $lt: 3 } } }),
        await found({ filter: { tag: { $ne: "x" } } }),
        await found({ filter: { tag: { $in: ["y", "z"] } } }),
        await found({ filter: { absent: 1 } }),
        await found({ filter: { toString: { $ne: 1 } } }),
        await found({ limit: 1, offset: 1 }),
        await memories.listNamespaces(),
        await memories.listNamespaces({ prefix: ["users", "*"], maxDepth: 2 }),
        await memories.listNamespaces({ suffix: ["deep"] }),
        await memories.listNamespaces({ limit: 1, offset: 1 }),
        await memories.get(["users"], "ann"),
        (await memories.get(["users", "ann"], "b"))!.createdAt instanceof Date,
        await memories.delete(["users", "ann"], "b"),
        await memories.get(["users", "ann"], "b"),
        await memories.batch([
          { namespace: ["n"], key: "k", value: { v: 1 } },
          { namespace: ["n"], key: "k" },
          { namespace: ["n"], key: "k", value: { v: 2 } },
        ]),
        (await memories.get(["n"], "k"))!.value,
      ];
    };
    expect(await tellAll(langgraphStore(BaseStore, await fresh()))).toEqual(
      await tellAll(new InMemoryStore()),
    );
  });

  it("lists namespaces in one order, page by page", async () => {
    const memories = langgraphStore(BaseStore, await fresh());
    for (const name of ["b", "a", "d", "c"]) await memories.put([name, "x"], "k", { n: 1 });
    const pages = [0, 1, 2, 3].map((offset) => memories.listNamespaces({ limit: 1, offset }));
    const names = (await Promise.all(pages)).flat().map(([name]) => name);
    expect(names).toEqual(["a", "b", "c", "d"]);
  });

  it("keeps when a memory was created, also of concurrent writes", async () => {
    const memories = langgraphStore(BaseStore, await fresh());
    await memories.put(["n"], "k", { n: 0 });
    const { createdAt } = (await memories.get(["n"], "k"))!;
    await Promise.all(Array.from({ length: 10 }, (_x, n) => memories.put(["n"], "k", { n })));
    const after = (await memories.get(["n"], "k"))!;
    expect(after.createdAt).toEqual(createdAt);
    expect(after.updatedAt.getTime()).toBeGreaterThanOrEqual(createdAt.getTime());
    const many = Array.from({ length: 250 }, (_x, n) => ({
      namespace: ["many"],
      key: `${n}`,
      value: { n },
    }));
    await memories.batch(many);
    expect((await memories.search(["many"], { limit: 1000 })).length).toBe(250);
    await expect(memories.put(["a.b"], "k", {})).rejects.toThrow("periods");
    await expect(memories.batch([{ namespace: [], key: "k", value: {} }])).rejects.toThrow(
      withCode("KV_INVALID_VALUE"),
    );
  });
});

describe("LangGraph", () => {
  it("rejects the run while the store is down", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const client = Object.assign(failingClient(), {
      iterate: () => {
        throw new Error("the client is down");
      },
    });
    const down = langgraphCheckpointer(BaseCheckpointSaver, kv(client as never));
    const config = { configurable: { thread_id: "1" } };
    await expect(graphOver(down).invoke({ steps: ["a"] }, config)).rejects.toThrow(
      withCode("KV_CONNECTION"),
    );
  });

  it("rejects a configuration without a thread", async () => {
    const saver = langgraphCheckpointer(BaseCheckpointSaver, kv(new Map()));
    for (const configurable of [{}, { thread_id: 5 }, { thread_id: "" }])
      await expect(graphOver(saver).invoke({ steps: [] }, { configurable })).rejects.toThrow(
        /thread_id/,
      );
    await expect(saver.deleteThread("")).rejects.toThrow(withCode("KV_INVALID_VALUE"));
    expect(await saver.getTuple({})).toBe(undefined);
  });

  it("rejects wrong options and clients without compare-and-set at once", () => {
    for (const make of [
      (...args: unknown[]) => langgraphCheckpointer(BaseCheckpointSaver, ...(args as [never])),
      (...args: unknown[]) => langgraphStore(BaseStore, ...(args as [never])),
    ]) {
      expect(() => make(kv(), { ttl: 5 })).toThrow(withCode("KV_INVALID_VALUE"));
      expect(() => make(new Map())).toThrow(withCode("KV_INVALID_CLIENT"));
      expect(() => make(kv(plainClient() as never))).toThrow(withCode("KV_NOT_SUPPORTED"));
    }
  });
});
