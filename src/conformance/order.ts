import type * as FastCheck from "fast-check";
import type { Store } from "../api.ts";
import type { Json } from "../types.ts";
import { expectEqual, refused, sorted } from "./check.ts";
import { loadFastCheck, parameters } from "./random.ts";
import type { Statement } from "./subject.ts";

/** One call that is not awaited, and its effect on a plain Map of full keys. */
interface Call {
  readonly name: string;
  readonly run: (store: Store) => Promise<unknown>;
  /** Changes the model and returns the expected result; `undefined` for any result. */
  readonly model: (records: Map<string, Json>) => unknown;
}

const PREFIX = "o:";

const entriesIn = (records: Map<string, Json>, prefix: string): [string, Json][] =>
  sorted([...records.keys()].filter((key) => key.startsWith(prefix) && key !== prefix)).map(
    (key) => [key.slice(prefix.length), records.get(key)!],
  );

const byKey = (pairs: [string, unknown][]): [string, unknown][] =>
  sorted(pairs.map(([key]) => key)).map((key) => pairs.find(([other]) => other === key)!);

/** Every kind of call on one key, directly or through a prefix. */
function callsOn(inner: string, prefix: string, value: number): Call[] {
  const key = prefix + inner;
  const part = (store: Store): Store => (prefix === "" ? store : store.prefix(prefix));
  const put = (records: Map<string, Json>): void => void records.set(key, value);
  const drop = (records: Map<string, Json>): void => void records.delete(key);
  const read = (records: Map<string, Json>): Json => records.get(key) ?? null;
  const clear = (records: Map<string, Json>): void =>
    [...records.keys()]
      .filter((other) => other.startsWith(prefix) && other !== prefix)
      .forEach((other) => records.delete(other));
  const call = (name: string, run: Call["run"], model: Call["model"]): Call => ({
    name: `${name}(${JSON.stringify(key)})`,
    run: (store) => run(part(store)),
    model,
  });
  return [
    call("set", (store) => store.set(inner, value), put),
    call("del", (store) => store.del(inner), drop),
    call(
      "setMany",
      (store) =>
        store.setMany([
          ["z", value],
          [inner, value],
        ]),
      (records) => (put(records), void records.set(`${prefix}z`, value)),
    ),
    call(
      "delMany",
      (store) => store.delMany([inner, "z"]),
      (records) => (drop(records), void records.delete(`${prefix}z`)),
    ),
    call(
      "touch",
      (store) => store.touch(inner, "1h"),
      (records) => records.has(key),
    ),
    call("clear", (store) => store.clear(), clear),
    call(
      "prune",
      (store) => store.prune(),
      () => 0,
    ),
    call("get", (store) => store.get(inner), read),
    call(
      "has",
      (store) => store.has(inner),
      (records) => records.has(key),
    ),
    call(
      "getMany",
      (store) => store.getMany([inner, "y"]),
      (records) => [read(records), records.get(`${prefix}y`) ?? null],
    ),
    call("entry", async (store) => (await store.entry(inner))?.value ?? null, read),
    call(
      "keys",
      async (store) => sorted(await store.keys()),
      (records) => entriesIn(records, prefix).map(([found]) => found),
    ),
    call(
      "values",
      async (store) => (await store.values()).length,
      (records) => entriesIn(records, prefix).length,
    ),
    call(
      "entries",
      async (store) => byKey(await store.entries()),
      (records) => entriesIn(records, prefix),
    ),
    call(
      "all",
      (store) => store.all(),
      (records) => Object.fromEntries(entriesIn(records, prefix)),
    ),
    call(
      "list",
      async (store) => byKey((await store.list()).entries.map((entry) => [entry.key, entry.value])),
      (records) => entriesIn(records, prefix),
    ),
  ];
}

const commitOn = (key: string, value: number): Call => ({
  name: `commit(${JSON.stringify(key)})`,
  run: async (store) => (await store.commit([], [{ key, value }])).ok,
  model: (records) => (records.set(key, value), true),
});

function allCalls(store: Store): Call[] {
  let value = 0;
  const calls = [
    ...callsOn("a", "", ++value),
    ...callsOn("b", "", ++value),
    ...callsOn("a", PREFIX, ++value),
  ];
  if (store.supports.atomic !== "no")
    calls.push(commitOn("a", ++value), commitOn(`${PREFIX}a`, ++value));
  return store.supports.iterate
    ? calls
    : calls.filter(({ name }) => !/^(clear|prune|keys|values|entries|all|list)/.test(name));
}

/**
 * Makes all calls without awaiting any, and compares each result and the stored data with the
 * model.
 */
async function check(store: Store, calls: readonly Call[]): Promise<void> {
  const records = new Map<string, Json>();
  const names = calls.map(({ name }) => name).join(", ");
  const expected = calls.map(({ model }) => model(records));
  const results = await Promise.all(calls.map(({ run }) => run(store)));
  calls.forEach(({ name }, i) => {
    if (expected[i] !== undefined)
      expectEqual(results[i], expected[i], `${name}, the call ${i + 1} of ${names}`);
  });
  const keys = ["a", "b", "z", `${PREFIX}a`, `${PREFIX}b`, `${PREFIX}z`];
  expectEqual(
    await store.getMany(keys),
    keys.map((key) => records.get(key) ?? null),
    `what is stored after ${names}`,
  );
}

const reset = async (store: Store): Promise<void> => {
  await store.delMany(["a", "b", "z", `${PREFIX}a`, `${PREFIX}b`, `${PREFIX}z`]);
};

const pick = (calls: readonly Call[], ...names: string[]): Call[] =>
  names.map((name) => calls.find((call) => call.name.startsWith(`${name}(`))!).filter(Boolean);

/** Statements O1 to O3: calls that are not awaited take effect in call order. */
export const order: readonly Statement[] = [
  [
    "O1",
    "writes that are not awaited take effect in call order",
    async ({ store }) => {
      const calls = allCalls(store);
      const pairs = [
        ["clear", "set"],
        ["set", "clear"],
        ["setMany", "set"],
        ["setMany", "del"],
        ["delMany", "set"],
        ["set", "delMany"],
        ["commit", "set"],
        ["commit", "del"],
        ["set", "commit"],
        ["touch", "del"],
        ["clear", "setMany"],
        ["setMany", "clear"],
        ["del", "setMany"],
        ["prune", "set"],
      ];
      for (const names of pairs) {
        await reset(store);
        await check(store, pick(calls, "set", ...names));
      }
    },
  ],
  [
    "O2",
    "a read that is called after a write sees it, and one that is called before does not",
    async ({ store }) => {
      const calls = allCalls(store);
      const reads = ["get", "has", "getMany", "entry", "keys", "values", "entries", "all", "list"];
      for (const write of ["set", "del", "setMany", "clear", "commit"]) {
        await reset(store);
        await check(store, pick(calls, "set", ...reads, write, ...reads));
      }
      if (!store.supports.iterate) return;
      const [key, keys] = await Promise.all([
        store.prefix("added:").add(1),
        store.prefix("added:").keys(),
      ]);
      expectEqual(keys, [key], "what keys() finds behind add()");
      await store.del(`added:${key}`);
      await reset(store);
      const write = store.setMany([
        ["a", 1],
        ["b", 2],
      ]);
      const found: unknown[] = [];
      for await (const [key] of store) found.push(key);
      await write;
      expectEqual(
        sorted(found as string[]),
        ["a", "b"],
        "what an iteration finds that begins after setMany()",
      );
    },
  ],
  [
    "O3",
    "an operation that fails neither delays nor reorders later ones",
    async ({ store }) => {
      const failed = (work: Promise<unknown>): Promise<unknown> =>
        refused("KV_INVALID_VALUE", () => work, "a write that fails");
      const results = await Promise.all([
        store.set("a", 1),
        failed(store.set("a", (() => 1) as never)),
        failed(
          store.setMany([
            ["a", 2],
            ["b", Symbol("no") as never],
          ]),
        ),
        store.get("a"),
        store.set("a", 3),
        failed(store.add(null)),
        store.get("a"),
      ]);
      expectEqual([results[3], results[6]], [1, 3], "what is read between and behind");
    },
  ],
  [
    "O1",
    "random sequences of calls that are not awaited agree with a model",
    async ({ store, subject }) => {
      const fc = await loadFastCheck();
      const calls = allCalls(store);
      const sequence: FastCheck.Arbitrary<Call[]> = fc.array(fc.constantFrom(...calls), {
        minLength: 2,
        maxLength: 10,
        size: "max",
      });
      const property = fc.asyncProperty(sequence, async (steps) => {
        await reset(store);
        await check(store, steps);
      });
      await fc.assert(property, parameters(subject));
    },
  ],
];
