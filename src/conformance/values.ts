import type { Json } from "../types.ts";
import { expectEqual, ok, refused } from "./check.ts";
import { VALUES } from "./samples.ts";
import type { Statement, Subject } from "./subject.ts";

const cycle: { self?: unknown; list: unknown[] } = { list: [] };
cycle.self = cycle;
class Point {
  x = 1;
}

/** Values outside the model, and where in the message they are found. */
const REFUSED: readonly [what: string, value: unknown, path: string][] = [
  ["a bigint", 1n, "value is a bigint"],
  ["a symbol", Symbol("s"), "value is a symbol"],
  ["a function", () => 1, "value is a function"],
  ["NaN", NaN, "value is NaN"],
  ["Infinity", { a: [Infinity] }, "value.a[0] is Infinity"],
  ["-Infinity", [-Infinity], "value[0] is -Infinity"],
  ["a Date", { user: { born: new Date(0) } }, "value.user.born is a Date"],
  ["a Map", new Map(), "value is a Map"],
  ["a Set", { a: new Set() }, "value.a is a Set"],
  ["a typed array", [new Uint8Array(1)], "value[0] is a Uint8Array"],
  ["a RegExp", { "a b": /x/ }, 'value["a b"] is a RegExp'],
  ["a URL", { a: new URL("file:///x") }, "value.a is a URL"],
  ["a class instance", { a: new Point() }, "value.a is a Point"],
  ["a boxed string", new String("x"), "value is a String"],
  ["a promise", Promise.resolve(1), "value is a Promise: await it"],
  ["an error", [new Error("x")], "value[0] is an Error"],
  ["a cycle", cycle, "value.self is a cycle"],
  ["a key that is a symbol", { a: { [Symbol("k")]: 1 } }, "value.a has a key that is a symbol"],
  ["an inherited toJSON", { a: Object.create({ toJSON: () => 1 }) }, "value.a is a"],
];

const plain = (subject: Subject): boolean => subject.codec !== true;

/** Statements V1 to V5. */
export const values: readonly Statement[] = [
  [
    "V1",
    "every value of the JSON data model comes back unchanged",
    async ({ store }) => {
      const limit = store.supports.valueBytes / 10;
      for (const value of VALUES.filter((value) => JSON.stringify(value).length < limit)) {
        await store.set("key", value);
        expectEqual(await store.get("key"), value, "get");
        expectEqual((await store.entry("key"))?.value, value, "entry");
        expectEqual(await store.getMany(["key"]), [value], "getMany");
        if (store.supports.iterate) expectEqual(await store.values(), [value], "values");
      }
    },
  ],
  [
    "V1",
    "a value of 300,000 characters comes back unchanged",
    async ({ store }) => {
      if (store.supports.valueBytes < 2_000_000) return;
      const value: Json = {
        text: "é🎉x".repeat(75_000),
        list: Array.from({ length: 5000 }, (_, i) => i),
      };
      await store.set("key", value);
      expectEqual(await store.get("key"), value, "get");
    },
  ],
  [
    "V1",
    "-0 becomes 0",
    async ({ store }) => {
      await store.set("key", [-0, { a: -0 }]);
      expectEqual(await store.get("key"), [0, { a: 0 }], "get");
      await store.set("key", -0);
      expectEqual(await store.get("key"), 0, "get");
    },
    plain,
  ],
  [
    "V2",
    "undefined deletes at the top, is null in arrays and dropped from objects",
    async ({ store }) => {
      await store.set("key", { a: undefined, b: [undefined, 1], c: { d: undefined } });
      const value = await store.get<{ b: Json[] }>("key");
      expectEqual(value, { b: [null, 1], c: {} }, "get");
      // oxlint-disable-next-line no-sparse-arrays
      await store.set("key", [1, , 3]);
      expectEqual(await store.get("key"), [1, null, 3], "a hole");
      await store.set("key", undefined);
      expectEqual(await store.has("key"), false, "has after undefined");
    },
    plain,
  ],
  [
    "V2",
    "anything else is refused with its path, and nothing is written",
    async ({ store }) => {
      await store.set("key", "before");
      for (const [what, value, path] of REFUSED) {
        const error = await refused(
          "KV_INVALID_VALUE",
          () => store.set("key", value as never),
          what,
        );
        ok(
          error.message.startsWith(path),
          `the message for ${what} starts with its path: ${error.message}`,
        );
        await refused("KV_INVALID_VALUE", () => store.set("new", value as never), what);
        await refused("KV_INVALID_VALUE", () => store.add(value as never), `add of ${what}`);
        await refused(
          "KV_INVALID_VALUE",
          () =>
            store.setMany([
              ["new", 1],
              ["key", value as never],
            ]),
          `setMany with ${what}`,
        );
        await refused(
          "KV_INVALID_VALUE",
          () => store.set("new", 1, { metadata: { a: value } }),
          `metadata with ${what}`,
        );
      }
      expectEqual(await store.get("key"), "before", "what was stored");
      expectEqual(await store.has("new"), false, "has of the refused key");
    },
    plain,
  ],
  [
    "V2",
    "1,000 levels are kept, deeper nesting is refused",
    async ({ store }) => {
      const nested = (levels: number): Json => {
        let value: Json = 1;
        for (let i = 0; i < levels; i++) value = [value];
        return value;
      };
      await refused("KV_INVALID_VALUE", () => store.set("key", nested(100_000)), "100,000 levels");
      await refused("KV_INVALID_VALUE", () => store.set("key", nested(1001)), "1,001 levels");
      if (store.supports.valueBytes < 10_000) return;
      await store.set("key", nested(1000));
      expectEqual(
        JSON.stringify(await store.get("key")),
        JSON.stringify(nested(1000)),
        "1,000 levels",
      );
    },
    plain,
  ],
  [
    "V2",
    "adding nothing is refused",
    async ({ store }) => {
      for (const nothing of [null, undefined])
        await refused("KV_INVALID_VALUE", () => store.add(nothing), `add of ${nothing}`);
      if (store.supports.iterate) expectEqual(await store.keys(), [], "keys");
    },
  ],
  [
    "V3",
    "changing an object after set or get does not change the store",
    async ({ store }) => {
      const value = { list: [1], inner: { a: 1 } };
      const metadata = { tags: ["x"] };
      const writing = store.set("key", value, { metadata });
      value.list.push(2);
      value.inner.a = 2;
      metadata.tags.push("y");
      await writing;
      value.list.push(3);
      const read = await store.get<typeof value>("key");
      expectEqual(read, { list: [1], inner: { a: 1 } }, "after a change of what was set");
      read!.list.push(9);
      read!.inner.a = 9;
      const entry = await store.entry<typeof value>("key");
      expectEqual(entry?.value, { list: [1], inner: { a: 1 } }, "after a change of what was read");
      expectEqual(
        entry?.metadata ?? null,
        entry?.metadata === null ? null : { tags: ["x"] },
        "metadata",
      );
      entry!.value.list.length = 0;
      if (store.supports.iterate) {
        const [[, listed]] = (await store.entries<typeof value>()) as [[string, typeof value]];
        expectEqual(listed, { list: [1], inner: { a: 1 } }, "entries");
        listed.list.length = 0;
      }
      expectEqual(await store.get("key"), { list: [1], inner: { a: 1 } }, "after all");
    },
  ],
  [
    "V4",
    "0, false and the empty string are values",
    async ({ store }) => {
      for (const value of [0, false, ""]) {
        await store.set("key", value);
        expectEqual(await store.get("key"), value, "get");
        expectEqual(await store.has("key"), true, "has");
        if (store.supports.iterate) expectEqual(await store.entries(), [["key", value]], "entries");
      }
    },
  ],
  [
    "V5",
    "a value that is too large is refused, and the one before is still there",
    async ({ store }) => {
      const { valueBytes } = store.supports;
      if (valueBytes > 64_000_000) return;
      await store.set("key", "before");
      await refused("KV_TOO_LARGE", () => store.set("key", "x".repeat(valueBytes)), "set");
      await refused(
        "KV_TOO_LARGE",
        () => store.set("new", "x".repeat(valueBytes + 1)),
        "set of a new key",
      );
      expectEqual(await store.get("key"), "before", "what was stored");
      expectEqual(await store.get("new"), null, "the refused key");
    },
  ],
];
