import { expectEqual, ok, refused, sorted } from "./check.ts";
import { fill, many, numbered } from "./fill.ts";
import { PREFIXES } from "./samples.ts";
import type { Statement } from "./subject.ts";

const CASES = [
  "user:1",
  "USER:1",
  "User:1",
  "user_1",
  "userX1",
  "user%",
  "user*",
  "user?",
  "us[e]r",
  "a:1",
  "a:b:2",
  "A:1",
  "[vip]:x",
  "v:x",
  "é1",
  "e\u03011",
  "🎉1",
  "\u00001",
  "__proto__x",
  "%1",
  "_1",
  "*1",
  "\\1",
  "../1",
  "key",
];

/** Statements P1 to P3. */
export const prefixes: readonly Statement[] = [
  [
    "P1",
    "a prefix is literal text: no pattern, no folding of case or of accents",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      const cases = store.supports.valueBytes < 10_000 ? CASES.slice(0, 12) : CASES;
      await store.setMany(cases.map((key) => [key, key]));
      for (const prefix of [
        ...PREFIXES,
        "user",
        "user:",
        "USER",
        "user_",
        "user%",
        "user*",
        "[vip]:",
        "a:b:",
      ]) {
        const expected = cases.filter((key) => key.startsWith(prefix));
        // The key that is the prefix itself would be empty in the substore.
        const inside = expected.filter((key) => key !== prefix);
        const part = store.prefix(prefix);
        const what = `prefix ${JSON.stringify(prefix)}`;
        const stripped = sorted(inside.map((key) => key.slice(prefix.length)));
        expectEqual(sorted(await part.keys()), stripped, `keys with ${what}`);
        expectEqual(
          sorted((await part.list({ limit: 100 })).entries.map(({ key }) => key)),
          stripped,
          `list of a substore with ${what}`,
        );
        expectEqual(
          sorted((await part.list({ limit: 100, reverse: true })).entries.map(({ key }) => key)),
          stripped,
          `list backwards with ${what}`,
        );
        expectEqual(
          sorted(Object.keys(await store.all(prefix))),
          sorted(expected),
          `all with ${what}`,
        );
        expectEqual(
          sorted((await store.list({ prefix, limit: 100 })).entries.map(({ key }) => key)),
          sorted(expected),
          `list with ${what}`,
        );
        expectEqual(
          sorted((await part.values()) as string[]),
          sorted(inside),
          `values with ${what}`,
        );
        expectEqual(
          sorted((await part.entries()).map(([key]) => key)),
          stripped,
          `entries with ${what}`,
        );
      }
    },
  ],
  [
    "P1",
    "prefixes nest, and keys come back without them",
    async ({ store }) => {
      const nested = store.prefix("a:").prefix("b:");
      expectEqual(await nested.set("key", 1), "key", "set");
      expectEqual(await store.get("a:b:key"), 1, "get from the root");
      expectEqual(await store.prefix("a:").get("b:key"), 1, "get from the middle");
      expectEqual(
        await store
          .prefix("a:b:")
          .entry("key")
          .then((entry) => entry?.key),
        "key",
        "entry",
      );
      expectEqual(
        await store.prefix("a:").set("own", 2, { prefix: "b:" }),
        "own",
        "set with a prefix of its own",
      );
      expectEqual(await nested.getMany(["key", "own"]), [1, 2], "getMany");
      expectEqual(
        await store.prefix("").prefix().has("a:b:own"),
        true,
        "has through empty prefixes",
      );
      await nested.set("own", null);
      await store.prefix("a:").set("key", null, { prefix: "b:" });
      expectEqual(await store.has("a:b:key"), false, "has after deleting with a prefix");
      const key = await nested.add("added");
      expectEqual(await store.get(`a:b:${key}`), "added", "add");
      if (!store.supports.iterate) return;
      expectEqual(await nested.keys(), [key], "keys");
      expectEqual(await store.keys(), [`a:b:${key}`], "keys of the root");
    },
  ],
  [
    "P2",
    "clear removes what the store lists, its expired records too, and nothing else",
    async ({ store, clock }) => {
      if (!store.supports.iterate) return;
      for (const prefix of ["user:", "user_", "a%", "*", "[a]", "é"]) {
        const others = [
          ...new Set([
            prefix,
            "USER:1",
            "user-1",
            "userX",
            "aX",
            "x",
            "a",
            "e\u0301",
            prefix.slice(0, -1) || "y",
          ]),
        ].filter((key) => key === prefix || !key.startsWith(prefix));
        await store.clear();
        await store.setMany(others.map((key) => [key, key]));
        const part = store.prefix(prefix);
        await part.setMany([
          ["1", 1],
          ["2", 2],
        ]);
        await part.set("gone", 1, { expires: clock.frozen ? 1 : 0.01 });
        await clock.advance(clock.frozen ? 1000 : 10);
        await part.clear();
        expectEqual(await part.keys(), [], `keys of ${prefix}`);
        expectEqual(sorted(await store.keys()), sorted(others), `keys beside ${prefix}`);
        expectEqual(await store.prune(), 0, "expired records left behind");
      }
      await store.clear();
      expectEqual(await store.entries(), [], "entries after clear");
      await store.clear();
      await store.set("key", 1);
      expectEqual(await store.get("key"), 1, "a write after clear");
    },
  ],
  [
    "P2",
    "clear removes all of many records",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      const count = many(store);
      await fill(store.prefix("p:"), numbered(count));
      await store.set("other", 1);
      await store.prefix("p:").clear();
      expectEqual(await store.keys(), ["other"], "keys");
    },
  ],
  [
    "P3",
    "items of others survive, are not listed, and are refused when read",
    async ({ store, subject }) => {
      const { put, has } = subject.foreign!;
      // As the client sees it, and as this store sees it.
      const [key, theirs, replaced] = ["theirs", "foreign", "replaced"];
      await store.set("mine", 1);
      await put(store, theirs);
      await put(store, replaced);
      await refused("KV_FOREIGN", () => store.get(theirs), "get");
      await refused("KV_FOREIGN", () => store.entry(theirs), "entry");
      expectEqual(await store.has(theirs), false, "has");
      expectEqual(await store.keys(), ["mine"], "keys");
      expectEqual(await store.values(), [1], "values");
      expectEqual(
        (await store.list()).entries.map((entry) => entry.key),
        ["mine"],
        "list",
      );
      await store.set(replaced, "ours");
      expectEqual(await store.get(replaced), "ours", "get after set");
      if (store.supports.atomic !== "no") {
        await refused(
          "KV_FOREIGN",
          () => store.commit([{ key: theirs, version: null }], [{ key, value: 1 }]),
          "commit",
        );
        expectEqual(await store.has(key), false, "a key of a refused commit");
      }
      await store.prune();
      await store.clear();
      expectEqual(await store.keys(), [], "keys after clear");
      ok(await has(store, theirs), "it survives clear");
      ok(!(await has(store, "mine")), "the store's own record is gone");
      await store.del(theirs);
      ok(!(await has(store, theirs)), "del removes it");
    },
    (subject) => subject.foreign !== undefined,
  ],
];
