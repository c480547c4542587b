import type { Key, Selector } from "../../../src/versioned/index.ts";
import type { Change, OracleApi, Found, Listing } from "./api.ts";

/** Anything as a text that tells everything apart: -0 from 0, 1n from 1, bytes from arrays. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes(${[...value].join()})`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([key, each]) => `${key}: ${show(each)}`)
      .join(", ")}}`;
  if (typeof value === "bigint") return `${value}n`;
  return Object.is(value, -0)
    ? "-0"
    : typeof value === "string"
      ? JSON.stringify(value)
      : String(value);
}

/** What a case notes: texts, with versions replaced by the order in which they were first seen. */
type Note = (...what: unknown[]) => void;

const KEYS: readonly Key[] = [
  ["a"],
  ["a", ""],
  ["a", "", "b"],
  ["a", "b"],
  ["a", "b", 1],
  ["a", "b", 1, true],
  ["a", "bb"],
  ["a", "c"],
  ["a\0"],
  ["a\0b"],
  ["A"],
  ["aa"],
  ["b"],
  ["é"],
  ["\uffff"],
  ["😀"],
  [""],
  [" "],
  ["!"],
  ["~"],
  ["\x7f"],
  [0],
  [-0],
  [1],
  [-1],
  [0.5],
  [1e300],
  [-1e300],
  [5e-324],
  [Infinity],
  [-Infinity],
  [NaN],
  [2 ** 53],
  [0n],
  [1n],
  [-1n],
  [255n],
  [256n],
  [-255n],
  [-256n],
  [2n ** 64n],
  [-(2n ** 64n)],
  [2n ** 2040n - 1n],
  [1n - 2n ** 2040n],
  [true],
  [false],
  [true, false],
  [new Uint8Array()],
  [Uint8Array.of(0)],
  [Uint8Array.of(0, 0)],
  [Uint8Array.of(0, 255)],
  [Uint8Array.of(1)],
  [Uint8Array.of(255)],
  [Uint8Array.of(255, 0)],
  [Uint8Array.of(97), "a"],
];

const VALUES = [
  null,
  0,
  "",
  false,
  "text",
  1.5,
  [1, [null]],
  { a: { b: "c" } },
  0n,
  7n,
  2n ** 64n - 1n,
];

const SELECTORS: readonly unknown[] = [
  { prefix: [] },
  { prefix: ["a"] },
  { prefix: ["a", "b"] },
  { prefix: ["a", ""] },
  { prefix: ["nothing"] },
  { prefix: [true] },
  { prefix: [new Uint8Array()] },
  { prefix: ["a"], start: ["a", "b"] },
  { prefix: ["a"], end: ["a", "b"] },
  { prefix: ["a"], start: ["a", "b", 0] },
  { prefix: [], start: ["b"] },
  { prefix: [], end: [1] },
  { start: ["a"], end: ["b"] },
  { start: ["a", "b"], end: ["a", "c"] },
  { start: [0], end: [2] },
  { start: [Uint8Array.of(0)], end: [true] },
  { start: ["a"], end: ["a"] },
  { start: [-Infinity], end: [NaN] },
  { start: [-(2n ** 65n)], end: [2n ** 65n] },
  { prefix: undefined, start: ["a"], end: ["aa"] },
  { prefix: ["a"], start: undefined, end: undefined },
];

const WRONG: readonly [selector: unknown, options?: unknown][] = [
  [{}],
  [{ start: ["a"] }],
  [{ end: ["a"] }],
  [{ prefix: ["a"], start: ["a", "b"], end: ["a", "c"] }],
  [{ prefix: ["a"], start: ["b"] }],
  [{ prefix: ["a"], start: ["a"] }],
  [{ prefix: ["a"], end: ["a"] }],
  [{ prefix: ["a"], end: ["b"] }],
  [{ start: ["b"], end: ["a"] }],
  ...[0, -1, 1.5, NaN].flatMap((wrong): [unknown, unknown][] => [
    [{ prefix: [] }, { limit: wrong }],
    [{ prefix: [] }, { batchSize: wrong }],
  ]),
  [{ prefix: [] }, { batchSize: 1001 }],
  [{ prefix: [] }, { cursor: "?" }],
  [{ prefix: ["a"], start: ["a", "b"] }, { limit: 5 }],
];

async function all(list: Listing): Promise<Found[]> {
  const found: Found[] = [];
  for (let { done, value } = await list.next(); !done; { done, value } = await list.next())
    found.push(value!);
  return found;
}

/** The same numbers everywhere. */
function random(seed: number): (below: number) => number {
  return (below) =>
    (((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below) | 0;
}

/** Cases on an empty store each, which both contracts answer alike. */
export const CASES: { readonly [name: string]: (store: OracleApi, note: Note) => Promise<void> } = {
  async "entries, present and missing"(store, note) {
    for (const [i, key] of KEYS.entries()) {
      const version = await store.set(key, VALUES[i % VALUES.length]);
      const entry = await store.get(key);
      note(i, entry, entry.version === version);
    }
    note(await store.get(["nothing", 1]));
    for (let i = 0; i < KEYS.length; i += 10) note(await store.getMany(KEYS.slice(i, i + 10)));
    note(await store.getMany([["a"], ["nothing"], ["a"]]), await store.getMany([]));
    await store.set(["u"], undefined);
    note((await store.get(["u"])).version !== null);
    await store.delete(["a"]);
    await store.delete(["a"]);
    note(await store.get(["a"]));
  },

  async "the order of keys, and what selectors select"(store, note) {
    for (const [i, key] of KEYS.entries()) await store.set(key, i);
    for (const selector of SELECTORS) {
      for (const options of [
        {},
        { reverse: true },
        { limit: 3 },
        { limit: 3, reverse: true },
        { batchSize: 2 },
      ]) {
        note(
          selector,
          options,
          (await all(store.list(selector as Selector, options))).map(({ key, value }) => [
            key,
            value,
          ]),
        );
      }
    }
  },

  async "pages by cursor"(store, note) {
    for (const [i, key] of KEYS.entries()) await store.set(key, i);
    for (const selector of SELECTORS.slice(0, 14) as Selector[]) {
      for (const reverse of [false, true]) {
        let cursor: string | undefined;
        for (let page = 0; page < 40; page++) {
          const list: Listing = store.list(selector, { limit: 2, reverse, cursor });
          const found = await all(list);
          note(
            selector,
            reverse,
            page,
            found.map(({ key }) => key),
          );
          // Behind the end the two differ.
          if (found.length < 2) break;
          cursor = list.cursor;
          if (page === 1) await store.delete(found[1]!.key);
        }
      }
    }
  },

  async "what is refused, and when"(store, note) {
    for (const [selector, options] of WRONG) {
      let list: Listing;
      try {
        list = store.list(selector as Selector, options as never);
      } catch {
        note(selector, options, "at once");
        continue;
      }
      note(
        selector,
        options,
        await list.next().then(
          () => "not at all",
          () => "by the iteration",
        ),
      );
    }
    const refused = async (what: string, work: () => unknown): Promise<void> => {
      try {
        const pending = work();
        note(
          what,
          await Promise.resolve(pending).then(
            () => "not at all",
            () => "later",
          ),
        );
      } catch {
        note(what, "at once");
      }
    };
    for (const key of [null, "a", [null], [{}], [["a"]], [Symbol("a")], [2n ** 2040n]] as never[]) {
      await refused(`get ${String(show(key))}`, () => store.get(key));
      await refused(`set ${String(show(key))}`, () => store.set(key, 1));
    }
    await refused("set []", () => store.set([], 1));
    await refused("delete []", () => store.delete([]));
    await refused("a function", () => store.set(["a"], () => 1));
    await refused("a function in a transaction", () => store.commit([], [["set", ["a"], () => 1]]));
    await refused("sum of a text", () =>
      store.commit(
        [],
        [
          ["set", ["text"], "text"],
          ["sum", ["text"], 1n],
        ],
      ),
    );
    for (const wrong of [-1n, 2n ** 64n, 1, "1"])
      await refused(`sum by ${show(wrong)}`, () =>
        store.commit([], [["sum", ["n"], wrong as bigint]]),
      );
    await refused("101 checks", () =>
      store.commit(
        Array.from({ length: 101 }, (_, i) => ({ key: ["c", i], version: null })),
        [],
      ),
    );
    await refused("1,001 changes", () =>
      store.commit(
        [],
        Array.from({ length: 1001 }, (_, i) => ["delete", ["c", i]] as const),
      ),
    );
    note(await store.get(["a"]), await store.get(["n"]));
  },

  async "checks, and changes in their order"(store, note) {
    const made = await store.set(["a"], 1);
    const outcomes: [{ key: Key; version: string | null }[], Change[]][] = [
      [
        [
          { key: ["a"], version: made },
          { key: ["b"], version: null },
        ],
        [
          ["set", ["b"], 1],
          ["set", ["b"], 2],
        ],
      ],
      [[{ key: ["a"], version: null }], [["set", ["b"], 3]]],
      [
        [{ key: ["a"], version: made.toUpperCase() }],
        [
          ["delete", ["a"]],
          ["set", ["a"], 4],
        ],
      ],
      [[{ key: ["a"], version: made }], [["set", ["a"], 5]]],
      [[{ key: ["gone"], version: null }], [["delete", ["gone"]]]],
      [
        [{ key: ["gone"], version: undefined as never }],
        [
          ["set", ["gone"], 1],
          ["delete", ["gone"]],
        ],
      ],
      [
        [{ key: ["c"], version: null }],
        [
          ["set", ["c"], 0],
          ["delete", ["c"]],
          ["sum", ["c"], 3n],
          ["sum", ["c"], 4n],
        ],
      ],
      [
        [],
        [
          ["sum", ["n"], 2n ** 64n - 1n],
          ["sum", ["n"], 2n],
        ],
      ],
      [
        [],
        [
          ["min", ["min"], 5n],
          ["min", ["min"], 7n],
          ["max", ["max"], 5n],
          ["max", ["max"], 7n],
        ],
      ],
      [
        [],
        [
          ["sum", ["d"], 5n],
          ["delete", ["d"]],
        ],
      ],
      [[{ key: ["n"], version: null }], [["sum", ["n"], 1n]]],
      [
        [{ key: ["a"], version: null }],
        [
          ["set", ["text"], "text"],
          ["sum", ["text"], 1n],
        ],
      ],
      [[], []],
    ];
    for (const [checks, changes] of outcomes) {
      const { ok, version } = await store.commit(checks, changes);
      note(changes, ok, typeof version);
      note(
        await store.getMany([
          ["a"],
          ["b"],
          ["c"],
          ["n"],
          ["min"],
          ["max"],
          ["d"],
          ["gone"],
          ["text"],
        ]),
      );
    }
  },

  async "the first chunks of watch(), and the last state"(store, note) {
    await store.set(["a"], 1);
    const reader = store.watch([["a"], ["b"]]).getReader();
    note((await reader.read()).value);
    for (const change of [
      () => store.set(["b"], 1),
      () => store.delete(["a"]),
      () =>
        store.commit(
          [],
          [
            ["sum", ["a"], 1n],
            ["set", ["b"], null],
          ],
        ),
    ]) {
      const pending = reader.read();
      await change();
      note((await pending).value);
    }
    for (let i = 0; i <= 20; i++) await store.set(["b"], i);
    for (;;) {
      const { value } = await reader.read();
      if (value![1]!.value === 20) break;
    }
    await reader.cancel();
    note(await reader.read());
    note((await store.watch([]).getReader().read()).done);
  },

  async "a thousand operations by chance"(store, note) {
    const below = random(42);
    const of = <T>(items: readonly T[]): T => items[below(items.length)]!;
    const key = (): Key => [
      of(["a", "b", 1, 1n, true]),
      ...(below(2) === 0 ? [] : [of(["x", "y", 0, -0])]),
    ];
    for (let i = 0; i < 1000; i++) {
      const kind = below(8);
      if (kind < 2) await store.set(key(), of(VALUES));
      else if (kind === 2) await store.delete(key());
      else if (kind < 5) {
        const checks = [];
        for (let n = below(3); n > 0; n--) {
          const { key: checked, version } = await store.get(key());
          checks.push({ key: checked, version: below(4) === 0 ? null : version });
        }
        const changes: Change[] = [];
        for (let n = below(4); n > 0; n--) {
          const counter = ["count", below(3)];
          changes.push(
            of<Change>([
              ["set", key(), of(VALUES)],
              ["delete", key()],
              ["sum", counter, BigInt(below(100))],
              ["min", counter, BigInt(below(100))],
              ["max", counter, BigInt(below(100))],
              ["delete", counter],
            ]),
          );
        }
        note(i, (await store.commit(checks, changes)).ok);
      } else if (kind === 5) note(i, await store.getMany([key(), key(), ["count", below(3)]]));
      else {
        const [a, b] = [key(), key()];
        const selector = of<unknown>([
          { prefix: [] },
          { prefix: a },
          { prefix: [a[0]], start: [...a.slice(0, 1), 0] },
          { start: a, end: b },
        ]) as Selector;
        const options = {
          reverse: below(2) === 0,
          batchSize: 1 + below(5),
          ...(below(2) === 0 ? { limit: 1 + below(5) } : {}),
        };
        note(i, selector, options, await all(store.list(selector, options)).catch(() => "refused"));
      }
    }
  },

  async "a closed one"(store, note) {
    const reader = store.watch([["a"]]).getReader();
    await reader.read();
    const pending = reader.read();
    await store.close();
    note((await pending).done);
    for (const call of [
      () => store.get(["a"]),
      () => store.set(["a"], 1),
      () => store.delete(["a"]),
      () => store.commit([], []),
      () => store.list({ prefix: [] }).next(),
    ])
      note(
        await Promise.resolve()
          .then(call)
          .then(
            () => "answers",
            () => "refuses",
          ),
      );
  },
};

/** What a store answers in each case. */
export async function answersOf(
  open: () => OracleApi | Promise<OracleApi>,
): Promise<{ [name: string]: string[] }> {
  const answers: { [name: string]: string[] } = {};
  for (const [name, run] of Object.entries(CASES)) {
    const notes: string[] = (answers[name] = []);
    const versions = new Map<string, string>();
    const store = await open();
    await run(store, (...what) => {
      const text = what.map(show).join(" ");
      notes.push(
        text.replace(/version: "(\w{20})"/g, (_, version: string) => {
          if (!versions.has(version)) versions.set(version, `v${versions.size}`);
          return versions.get(version)!;
        }),
      );
    });
    await Promise.resolve()
      .then(() => store.close())
      .catch(() => {});
  }
  return answers;
}
