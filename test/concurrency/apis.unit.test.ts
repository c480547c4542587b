import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { Source } from "../../src/clients/define.ts";
import { memory } from "../../src/clients/memory.ts";
import kv, { KvError } from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import { StaticStore } from "../../src/schema/index.ts";
import { versioned } from "../../src/versioned/index.ts";
import {
  differing,
  INDEX_READS,
  NAMESPACE,
  openTyped,
  SCHEMA,
  STATES,
  type Subject,
  VERSIONED,
} from "../suites/api-order.ts";

/** Pauses of up to three turns of the event loop, the same ones in each run. */
function pauses(seed: number): () => Promise<void> {
  let state = seed;
  return async () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    for (let turns = (state >>> 16) % 4; turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  };
}

/** A custom client whose calls take their time, each another one. */
function slowClient(seed: number): object {
  const data = new Map<string, unknown>();
  const pause = pauses(seed);
  return {
    get: (key: string) => pause().then(() => data.get(key)),
    set: (key: string, value: unknown) => pause().then(() => void data.set(key, value)),
    del: (key: string) => pause().then(() => void data.delete(key)),
    async *iterate(prefix: string) {
      await pause();
      for (const [key, value] of [...data]) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

let seeds = 1;
const CLIENTS: readonly (readonly [name: string, make: () => unknown])[] = [
  ["memory", () => new Map()],
  ["SQLite", () => new DatabaseSync(":memory:")],
  ["a slow custom client", () => slowClient(seeds++)],
];

/** How a store comes to its calls: open already, or opened by them. */
/** A slow client with short keys and without commits, as some services are. */
function poorClient(seed: number): Source {
  const pause = pauses(seed);
  const source = memory(new Map());
  return {
    ...source,
    supports: { ...source.supports, keyBytes: 200, atomic: "no" },
    async open() {
      const { get, set, del, iterate } = await source.open();
      return {
        get: (key) => pause().then(() => get(key)),
        set: (key, record) => pause().then(() => set(key, record)),
        del: (key) => pause().then(() => del(key)),
        iterate: iterate!,
      };
    },
  };
}

const LONG = "a".repeat(300);
const LONG_NAMES: typeof NAMESPACE = {
  ...NAMESPACE,
  fill: (words) => words.put(LONG, "old"),
  calls: {
    put: (words, value) => words.put(LONG, value, { metadata: value }),
    putShort: (words, value) => words.put("b", value),
    delete: (words) => words.delete(LONG),
    get: (words) => words.get(LONG),
    getMany: async (words) => [...(await words.get(["b", LONG]))],
    list: async (words) => (await words.list()).keys,
  },
};

it.each(STATES)(
  "calls on a namespace with shortened names, without commits: %s",
  async (...state) => {
    const names = Object.keys(LONG_NAMES.calls);
    expect(
      await differing(
        "long names",
        LONG_NAMES,
        names,
        names,
        () => poorClient(seeds++),
        state,
        () => poorClient(seeds++),
      ),
    ).toEqual([]);
  },
);

describe.each(CLIENTS)(
  "calls on %s that are not awaited take effect in call order",
  (_client, make) => {
    describe.each(STATES)("%s", (...state) => {
      const check = <Api>(
        title: string,
        subject: Subject<Api>,
        firsts = Object.keys(subject.calls),
        seconds = firsts,
      ): void =>
        it(title, async () =>
          expect(await differing(title, subject, firsts, seconds, make, state)).toEqual([]),
        );
      check("versioned", VERSIONED);
      check(
        "versioned, by an index",
        { ...VERSIONED, calls: { ...VERSIONED.calls, ...INDEX_READS } },
        Object.keys(VERSIONED.calls),
        Object.keys(INDEX_READS),
      );
      check("namespaces", NAMESPACE);
      check("typed stores", SCHEMA);
    });
  },
);

describe("the call order", () => {
  it("holds while the code of the operations is loaded", async () => {
    const fresh = async () => {
      vi.resetModules();
      const [core, { versioned }, { namespace }, { StaticStore }] = await Promise.all([
        import("../../src/index.ts"),
        import("../../src/versioned/index.ts"),
        import("../../src/namespace/index.ts"),
        import("../../src/schema/index.ts"),
      ]);
      return { store: core.default(new Map()), versioned, namespace, StaticStore };
    };
    const first = await fresh();
    const entries = first.versioned(first.store);
    const [, , , entry] = await Promise.all([
      entries.atomic().set(["a"], 1).commit(),
      entries.delete(["a"]),
      entries.set(["a"], 2),
      entries.get(["a"]),
    ]);
    expect(entry.value).toBe(2);

    const second = await fresh();
    const words = second.namespace(second.store, "words");
    const [, , , page, none] = await Promise.all([
      words.put("a", "1"),
      words.delete("a"),
      words.put("b", "2"),
      words.list(),
      words.get("a"),
    ]);
    expect([page.keys, none]).toEqual([[{ name: "b" }], null]);

    const third = await fresh();
    const app = third.StaticStore("app", { list: "list", text: "string" }, { store: third.store });
    const [, , , items, keys] = await Promise.all([
      app.take("text").write("a"),
      app.erase(),
      app.take("list").push(["a", "b"]),
      app.take("list").read(),
      app.keys(),
    ]);
    expect([items, keys, await app.keys()]).toEqual([["a", "b"], ["list"], ["list"]]);
  });

  it("holds across APIs and stores over one client", async () => {
    for (const [, make] of CLIENTS) {
      const client = make() as never;
      const [store, same] = [kv(client), kv(client)];
      const [entries, words, app] = [VERSIONED.open(store), NAMESPACE.open(same), openTyped(store)];
      const writes = (): Promise<unknown>[] => [
        entries.set(["a"], 1),
        entries.delete(["b"]),
        words.put("a", "v"),
        app.take("text").write("v"),
        app.take("list").push("v"),
      ];
      await Promise.all([...writes(), same.clear()]);
      expect(await store.keys()).toEqual([]);
      const [, keys] = await Promise.all([Promise.all(writes()), same.keys()]);
      expect(keys.sort()).toEqual(["a", "app:list", "app:text", "words/k/a", "words/v/a"]);
      await Promise.all([same.clear(), ...writes()]);
      expect((await store.keys()).length).toBe(5);
      expect((await Promise.all([entries.set(["a"], "new"), store.get("a")]))[1]).toBe("new");
    }
  });

  it("holds for validation that takes its time", async () => {
    const pause = z
      .string()
      .refine(async (name) =>
        name === "slow" ? new Promise((resolve) => setTimeout(() => resolve(true), 5)) : true,
      );
    const field = StaticStore("app", { name: pause }, { store: kv(new Map()) }).take("name");
    const [, , read] = await Promise.all([field.write("slow"), field.write("fast"), field.read()]);
    expect([read, await field.read()]).toEqual(["fast", "fast"]);
  });

  it("takes a value as it was when the call was made", async () => {
    const field = StaticStore(
      "app",
      { json: z.object({ name: z.string() }) },
      { store: kv(slowClient(1) as never) },
    ).take("json");
    const value = { name: "first" };
    const writes = [field.write({ name: "before" }), field.write(value)];
    value.name = "changed later";
    await Promise.all(writes);
    expect(await field.read()).toEqual({ name: "first" });
  });

  it("lets an update that takes its time use its own field", async () => {
    const field = StaticStore(
      "app",
      { json: z.object({ count: z.number() }) },
      { store: kv(slowClient(1) as never) },
    ).take("json");
    await field.write({ count: 1 });
    let isFirst = true;
    const update = field.update(async ({ count }) => {
      // A write in between: the update begins again.
      if (isFirst) await field.write({ count: count + 10 });
      isFirst = false;
      return { count: ((await field.read())?.count ?? 0) + 1 };
    });
    expect(await update).toEqual({ count: 12 });
    expect(await field.read()).toEqual({ count: 12 });
  });

  it("does not wait for a stream, which takes its place when it has ended", async () => {
    const words = namespace(kv(slowClient(1) as never), "words");
    let end = (): void => {};
    const slow = words.put(
      "a",
      new ReadableStream({
        start: (controller) =>
          void (end = () => (
            controller.enqueue(new TextEncoder().encode("stream")),
            controller.close()
          )),
      }),
    );
    await words.put("a", "text");
    expect(await words.get("a")).toBe("text");
    end();
    await slow;
    expect(await words.get("a")).toBe("stream");
  });

  it("is kept when calls fail", async () => {
    for (const [, make] of CLIENTS) {
      const store = kv(make() as never);
      const entries = versioned(store, {
        indexes: { size: { prefix: ["a"], of: (value) => (value as string).length } },
      });
      const field = StaticStore("app", { json: z.object({ name: z.string() }) }, { store }).take(
        "json",
      );
      const words = namespace(store, "words");
      const fails = (work: Promise<unknown>): Promise<unknown> =>
        work.then(
          () => "done",
          ({ code }: KvError) => code,
        );
      const outcomes = await Promise.all([
        ...[
          entries.set(["a", 1], null),
          entries.atomic().sum(["n"], 1n).set(["a", 1], null).commit(),
          entries.set(["a", 1], "text"),
          entries.delete(["a", 1]),
        ].map(fails),
        ...[
          field.write({ name: 5 as never }),
          field.update(() => {
            throw new KvError("KV_QUOTA", "no");
          }),
          field.write({ name: "ann" }),
          field.update(() => ({ name: 5 as never })),
        ].map(fails),
        ...[
          words.put("a", { a: 1n }),
          words.put("a", "v"),
          words.get("a", "json"),
          words.delete("a"),
        ].map(fails),
      ]);
      expect(outcomes).toEqual([
        "KV_INVALID_VALUE",
        "KV_INVALID_VALUE",
        "done",
        "done",
        "KV_VALIDATION",
        "done",
        "done",
        "KV_VALIDATION",
        "KV_INVALID_VALUE",
        "done",
        "KV_INVALID_VALUE",
        "done",
      ]);
      expect([await store.keys(), await field.read()]).toEqual([["app:json"], { name: "ann" }]);
    }
  });
});
