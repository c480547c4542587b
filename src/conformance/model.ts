import type * as FastCheck from "fast-check";
import type { Store } from "../api.ts";
import type { Json } from "../types.ts";
import { expectEqual, ok } from "./check.ts";
import type { Clock } from "./clock.ts";
import { loadFastCheck, parameters } from "./random.ts";
import type { Statement } from "./subject.ts";

/** The expected behaviour of a store, in the plainest words: records in a Map by full key. */
class Oracle {
  readonly records = new Map<
    string,
    { value: Json; expires: number | null; version: string | null }
  >();

  set(key: string, value: Json, seconds: number | null): void {
    if (value === null || (seconds !== null && seconds <= 0)) this.records.delete(key);
    else
      this.records.set(key, {
        value,
        expires: seconds === null ? null : Date.now() + seconds * 1000,
        version: null,
      });
  }

  forgetExpired(): void {
    for (const [key, { expires }] of this.records)
      if (expires !== null && expires <= Date.now()) this.records.delete(key);
  }

  under(prefix: string): [string, Json][] {
    return [...this.records]
      .filter(([key]) => key !== prefix && key.startsWith(prefix))
      .map(([key, { value }]) => [key.slice(prefix.length), value]);
  }
}

const KEYS = [
  "a",
  "A",
  "a:",
  "a:b",
  "a:B",
  "b",
  "%",
  "%a",
  "_",
  "_a",
  "*",
  "[a]",
  "é",
  "\u0000",
  "🎉",
  "__proto__",
  "../a",
];
const PREFIXES = ["", "", "", "a", "a:", "%", "_", "*", "[a]", "A"];

type Operation =
  | { do: "set"; prefix: string; key: string; value: Json; seconds: number | null }
  | { do: "setMany"; prefix: string; keys: string[]; value: Json; seconds: number | null }
  | { do: "del" | "read"; prefix: string; key: string }
  | { do: "delMany"; prefix: string; keys: string[] }
  | { do: "touch"; prefix: string; key: string; seconds: number | null }
  | { do: "clear" | "prune" | "list"; prefix: string; limit: number }
  | { do: "commit"; keys: [string, string]; value: Json; stale: boolean }
  | { do: "wait"; ms: number };

function operations(fc: typeof FastCheck, frozen: boolean): FastCheck.Arbitrary<Operation> {
  const key = fc.constantFrom(...KEYS);
  const prefix = fc.constantFrom(...PREFIXES);
  const keys = fc.uniqueArray(key, { maxLength: 4 });
  // While time passes by itself, only deadlines far from now are certain.
  const seconds = fc.constantFrom(
    null,
    null,
    null,
    ...(frozen ? [0.001, 1, 1.5, 60] : [3600, 86_400]),
    0,
    -1,
  );
  const value = fc
    .oneof(
      { weight: 4, arbitrary: fc.jsonValue({ maxDepth: 2 }) as FastCheck.Arbitrary<Json> },
      fc.constantFrom(null, 0, "", false),
    )
    .map((value) => JSON.parse(JSON.stringify(value)) as Json);
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant("set" as const), prefix, key, value, seconds }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("setMany" as const), prefix, keys, value, seconds }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("del" as const, "read" as const, "read" as const),
        prefix,
        key,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("delMany" as const), prefix, keys }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("touch" as const), prefix, key, seconds }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom("clear" as const, "prune" as const, "list" as const, "list" as const),
        prefix,
        limit: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("commit" as const),
        keys: fc.tuple(key, key),
        value,
        stale: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        ms: frozen ? fc.constantFrom(1, 999, 1000, 1500, 61_000) : fc.constant(0),
      }),
    },
  );
}

async function apply(
  operation: Operation,
  store: Store,
  oracle: Oracle,
  clock: Clock,
): Promise<void> {
  oracle.forgetExpired();
  const part = "prefix" in operation ? store.prefix(operation.prefix) : store;
  const full = (key: string): string => ("prefix" in operation ? operation.prefix : "") + key;
  const stored = (key: string): Json => oracle.records.get(full(key))?.value ?? null;
  switch (operation.do) {
    case "set": {
      const { key, value, seconds } = operation;
      expectEqual(await part.set(key, value, { expires: seconds }), key, "set");
      return oracle.set(full(key), value, seconds);
    }
    case "setMany": {
      const { keys, value, seconds } = operation;
      expectEqual(
        await part.setMany(
          keys.map((key) => [key, value]),
          { expires: seconds },
        ),
        keys,
        "setMany",
      );
      return keys.forEach((key) => oracle.set(full(key), value, seconds));
    }
    case "del":
      expectEqual(await part.del(operation.key), operation.key, "del");
      return void oracle.records.delete(full(operation.key));
    case "delMany":
      expectEqual(await part.delMany(operation.keys), operation.keys, "delMany");
      return operation.keys.forEach((key) => oracle.records.delete(full(key)));
    case "read": {
      const { key } = operation;
      expectEqual(await part.get(key), stored(key), "get");
      expectEqual(await part.has(key), oracle.records.has(full(key)), "has");
      const entry = await part.entry(key);
      // A client that keeps bare values tells of no deadline.
      if (entry?.version === null) return;
      const [found, expected] = [
        entry?.expires ?? null,
        oracle.records.get(full(key))?.expires ?? null,
      ];
      if (clock.frozen || found === null || expected === null)
        return expectEqual(found, expected, "the deadline");
      return ok(
        Math.abs(found - expected) < 60_000,
        `the deadline: ${found} instead of about ${expected}`,
      );
    }
    case "touch": {
      const { key, seconds } = operation;
      expectEqual(await part.touch(key, seconds), oracle.records.has(full(key)), "touch");
      if (oracle.records.has(full(key))) oracle.set(full(key), stored(key), seconds);
      return;
    }
    case "clear":
      await part.clear();
      return oracle.under(operation.prefix).forEach(([key]) => oracle.records.delete(full(key)));
    case "prune":
      ok((await part.prune()) >= 0, "prune");
      return;
    case "list": {
      const page = await part.list({ limit: operation.limit });
      const expected = oracle.under(operation.prefix);
      expectEqual(
        page.entries.length,
        Math.min(operation.limit, expected.length),
        "how many list finds",
      );
      return expectEqual(
        page.cursor === null,
        expected.length <= operation.limit,
        "whether the page is the last",
      );
    }
    case "commit": {
      if (store.supports.atomic === "no") return;
      const [first, second] = operation.keys;
      const version = operation.stale
        ? "0".repeat(20)
        : ((await store.entry(first))?.version ?? null);
      const { ok: done } = await store.commit(
        [{ key: first, version }],
        [
          { key: first, value: operation.value },
          { key: second, value: operation.value },
        ],
      );
      expectEqual(done, !operation.stale, "commit");
      if (done) operation.keys.forEach((key) => oracle.set(key, operation.value, null));
      return;
    }
    case "wait":
      await clock.advance(operation.ms);
      return oracle.forgetExpired();
  }
}

/** Random sequences of operations on the store and on an oracle, compared after each step. */
export const model: readonly Statement[] = [
  [
    "M",
    "random sequences of operations, prefixes and steps of time agree with a model",
    async ({ store, clock, subject }) => {
      if (!store.supports.iterate) return;
      const fc = await loadFastCheck();
      const sequence = fc.asyncProperty(
        fc.array(operations(fc, clock.frozen), { maxLength: 25, size: "max" }),
        async (steps) => {
          await store.clear();
          const oracle = new Oracle();
          for (const step of steps) {
            await apply(step, store, oracle, clock);
            const found = await store.entries();
            expectEqual(
              Object.fromEntries(found),
              Object.fromEntries(oracle.under("")),
              `entries after ${step.do}`,
            );
            expectEqual(found.length, oracle.records.size, `how many entries after ${step.do}`);
          }
          expectEqual(
            await store.getMany(KEYS),
            KEYS.map((key) => oracle.records.get(key)?.value ?? null),
            "getMany",
          );
        },
      );
      await fc.assert(sequence, parameters(subject));
    },
  ],
];
