import type { EntryPage } from "../api.ts";
import { expectEqual, ok, refused } from "./check.ts";
import { fill, many, numbered } from "./fill.ts";
import type { Statement } from "./subject.ts";

/** Statement P6. */
export const walking: readonly Statement[] = [
  [
    "P6",
    "list({ ordered: false }) pages through every key that is present throughout",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      const inner = store.prefix("p%");
      const pairs = numbered(many(store));
      await fill(inner, pairs);
      await store.set("p%", "the key that is the prefix");
      await inner.set("gone", 1);
      await inner.set("late", 1, { expires: "1h" });
      // A client that cannot go on looks through all keys for each page.
      for (const [on, prefix, limit] of [
        [inner, "", Math.ceil(pairs.length / 8)],
        [store, "p%n", 1000],
      ] as const) {
        const found = new Map<string, unknown>();
        let cursor: string | null = null;
        for (let i = 0; i === 0 || cursor !== null; i++) {
          const page: EntryPage = await on.list({ prefix, limit, cursor, ordered: false });
          ok(page.entries.length <= limit, "at most as many as the limit");
          for (const { key, value } of page.entries) found.set(key, value);
          ({ cursor } = page);
          // Writes in between lose nothing.
          if (i === 0) await inner.del("gone");
          await inner.set(`new${i % 3}`, i);
        }
        const start = on === store ? "p%" : "";
        for (const [key, value] of pairs)
          expectEqual(found.get(start + key), value, `the value of ${key}`);
        ok(
          [...found.keys()].every((key) => key.startsWith(prefix)),
          "only the prefix",
        );
        ok(!found.has(""), "no empty key");
      }
    },
  ],
  [
    "P6",
    "list({ ordered: false }) rejects reverse and cursors of other listings",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      await fill(store, numbered(50));
      await refused(
        "KV_INVALID_VALUE",
        () => store.list({ ordered: false, reverse: true }),
        "reverse",
      );
      const { cursor } = await store.list({ ordered: false, limit: 2 });
      ok(cursor !== null, "there is more");
      for (const text of ["", "x", "AAAA", `${cursor}=`, cursor!.slice(1)])
        await refused(
          "KV_INVALID_CURSOR",
          () => store.list({ cursor: text, ordered: false }),
          `cursor ${JSON.stringify(text)}`,
        );
      await refused(
        "KV_INVALID_CURSOR",
        () => store.list({ cursor, ordered: false, prefix: "m" }),
        "another prefix",
      );
      await refused(
        "KV_INVALID_CURSOR",
        () => store.prefix("m").list({ cursor, ordered: false }),
        "another store",
      );
    },
  ],
];
