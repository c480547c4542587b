import type { EntryPage, Store } from "../api.ts";
import { expectEqual, ok, refused, sorted } from "./check.ts";
import { fill, many, numbered } from "./fill.ts";
import { KEYS } from "./samples.ts";
import { compareKeys } from "../record/utf8.ts";
import type { Statement } from "./subject.ts";

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

/** Statements P4 and P5. */
export const listing: readonly Statement[] = [
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
