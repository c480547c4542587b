import type { EntryPage, Store } from "../api.ts";
import { expectEqual, ok, refused, sorted } from "./check.ts";
import { KEYS, PREFIXES } from "./samples.ts";
import type { Statement } from "./subject.ts";
import { compareKeys } from "../record/utf8.ts";

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

const numbered = (count: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [`n${String(i).padStart(5, "0")}`, i]);

/**
 * How many records a listing is tried with: more than a page of any client, unless the client holds
 * few.
 */
const many = (store: Store): number => (store.supports.valueBytes < 10_000 ? 30 : 1203);

async function fill(store: Store, pairs: readonly [string, number][]): Promise<void> {
  for (let i = 0; i < pairs.length; i += 400) await store.setMany(pairs.slice(i, i + 400));
}

/** Every page of a listing, one after the other. */
async function pages(
  store: Store,
  options: { prefix?: string; limit: number; reverse?: boolean },
): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | null = null;
  do {
    const page: EntryPage = await store.list({ ...options, cursor });
    found.push(page.entries.map(({ key }) => key));
    ({ cursor } = page);
  } while (cursor !== null);
  return found;
}

/** Statements P1 to P5. */
export const listing: readonly Statement[] = [
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
      ok(!(await has(store, "mine")), "the record of ours is gone");
      await store.del(theirs);
      ok(!(await has(store, theirs)), "del removes it");
    },
    (subject) => subject.foreign !== undefined,
  ],
  [
    "P4",
    "iteration yields every pair once",
    async ({ store }) => {
      if (!store.supports.iterate)
        return void (await refused("KV_NOT_SUPPORTED", () => store.keys(), "keys"));
      const pairs = numbered(many(store));
      await fill(store.prefix("p%"), pairs);
      await store.set("other", 1);
      const found: [string, unknown][] = [];
      for await (const pair of store.prefix("p%")) found.push(pair);
      expectEqual(found.length, pairs.length, "how many");
      expectEqual(
        found.sort(([a], [b]) => compareKeys(a, b)),
        pairs,
        "the pairs",
      );
      expectEqual((await store.prefix("p%").entries()).length, pairs.length, "entries");
      expectEqual(
        sorted(await store.prefix("p%").keys()),
        pairs.map(([key]) => key),
        "keys",
      );
    },
  ],
  [
    "P4",
    "iteration survives writes and deletes, and yields what is there throughout exactly once",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      const count = many(store);
      const pairs = numbered(count);
      await fill(store, pairs);
      const seen = new Map<string, number>();
      let i = 0;
      for await (const [key] of store.iterate()) {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        // Of every three: one is deleted and written again, one is deleted, one stays.
        if (i++ % Math.ceil(count / 60) === 0) {
          const [victim] = pairs[(i * 7) % count]!;
          const which = Number(victim.slice(1)) % 3;
          if (which < 2) await store.del(victim);
          if (which === 0) await store.set(victim, -1);
          await store.set(`new${i}`, i);
        }
      }
      for (const [key, times] of seen) expectEqual(times, 1, `how often ${key} came`);
      for (const [key, number] of pairs)
        if (number % 3 === 2) ok(seen.has(key), `${key} was there throughout`);
    },
  ],
  [
    "P4",
    "an early break leaves nothing behind",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      await fill(store, numbered(20));
      for (let round = 0; round < 30; round++) {
        for await (const pair of store) {
          ok(pair.length === 2, "a pair");
          break;
        }
      }
      expectEqual((await store.keys()).length, 20, "keys");
      await store.clear();
      expectEqual(await store.keys(), [], "keys after clear");
    },
  ],
  [
    "P5",
    "list pages in the order of the keys' UTF-8 bytes, forwards and backwards",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      const keys = store.supports.valueBytes < 10_000 ? KEYS.slice(0, 20) : KEYS;
      await store.setMany(keys.map((key) => [key, key]));
      const order = [...keys].sort(compareKeys);
      const bytes = new TextEncoder();
      for (let i = 1; i < order.length; i++) {
        const [a, b] = [bytes.encode(order[i - 1]), bytes.encode(order[i])];
        const at = a.findIndex((byte, j) => byte !== b[j]);
        ok(at === -1 || a[at]! < b[at]! || b[at] === undefined, "the order that is expected here");
      }
      for (const limit of [1, 7, 1000]) {
        const forwards = await pages(store, { limit });
        expectEqual(forwards.flat(), order, `pages of ${limit}`);
        ok(
          forwards.every((page, i) => page.length === limit || i === forwards.length - 1),
          `full pages of ${limit}`,
        );
        expectEqual(
          (await pages(store, { limit, reverse: true })).flat(),
          [...order].reverse(),
          `pages of ${limit} backwards`,
        );
      }
      const first = await store.list({ prefix: "a", limit: 2 });
      expectEqual(
        first.entries.map(({ key }) => key),
        order.filter((key) => key.startsWith("a")).slice(0, 2),
        "list with a prefix",
      );
      expectEqual(first.entries[0]?.value, first.entries[0]?.key, "the value of an entry");
      expectEqual(
        await store.list({ prefix: "none" }),
        { entries: [], cursor: null },
        "an empty page",
      );
    },
  ],
  [
    "P5",
    "a page that is full and the last has no cursor; the default limit is 100",
    async ({ store }) => {
      if (!store.supports.iterate || store.supports.valueBytes < 10_000) return;
      await fill(store, numbered(100));
      expectEqual((await store.list()).cursor, null, "cursor of the only page");
      expectEqual((await store.list({ limit: 100 })).entries.length, 100, "entries");
      await store.set("z", 1);
      ok((await store.list()).cursor !== null, "cursor of the first of two pages");
      for (const limit of [0, -1, 1.5, NaN, Infinity, "10" as never])
        await refused("KV_INVALID_VALUE", () => store.list({ limit }), `limit ${limit}`);
    },
  ],
  [
    "P5",
    "a cursor survives writes, the deletion of its key and the store",
    async ({ store, subject }) => {
      if (!store.supports.iterate) return;
      await fill(store, numbered(9));
      const first = await store.list({ limit: 4 });
      await store.delMany(["n00003", "n00004", "n00001"]);
      await store.set("n00004x", 1);
      await store.set("n00000x", 1);
      const rest = ["n00004x", "n00005", "n00006", "n00007", "n00008"];
      expectEqual(
        (await store.list({ cursor: first.cursor })).entries.map(({ key }) => key),
        rest,
        "the rest",
      );
      if (subject.reopen === undefined || !store.supports.persistent) return;
      await store.close();
      const again = await subject.reopen(store);
      try {
        expectEqual(
          (await again.list({ cursor: first.cursor })).entries.map(({ key }) => key),
          rest,
          "the rest in another store",
        );
      } finally {
        await again.close();
      }
    },
  ],
  [
    "P5",
    "a cursor of another listing is refused",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      await fill(store, numbered(5));
      const { cursor } = await store.list({ limit: 2 });
      const wrong = [
        "",
        "x",
        "n00002",
        "!!!",
        "AAAA",
        `${cursor}=`,
        cursor!.slice(1),
        1,
        {},
        "é",
        btoa("kv1>"),
      ];
      for (const text of wrong)
        await refused(
          "KV_INVALID_CURSOR",
          () => store.list({ cursor: text as string }),
          `cursor ${JSON.stringify(text)}`,
        );
      await refused(
        "KV_INVALID_CURSOR",
        () => store.list({ cursor, reverse: true }),
        "the other direction",
      );
      await refused(
        "KV_INVALID_CURSOR",
        () => store.list({ cursor, prefix: "m" }),
        "another prefix",
      );
      await refused("KV_INVALID_CURSOR", () => store.prefix("m").list({ cursor }), "another store");
    },
  ],
  [
    "P5",
    "list leaves out expired records and still fills its pages",
    async ({ store, clock }) => {
      if (!store.supports.iterate) return;
      const pairs = numbered(20);
      await store.setMany(pairs.filter(([, i]) => i % 2 === 0));
      await store.setMany(
        pairs.filter(([, i]) => i % 2 === 1),
        { expires: clock.frozen ? 1 : 0.05 },
      );
      await clock.advance(clock.frozen ? 1000 : 50);
      const found = await pages(store, { limit: 4 });
      expectEqual(
        found.map((page) => page.length),
        [4, 4, 2],
        "the sizes of the pages",
      );
      expectEqual(
        found.flat(),
        pairs.filter(([, i]) => i % 2 === 0).map(([key]) => key),
        "the keys",
      );
    },
  ],
];
