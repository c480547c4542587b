import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyIndex } from "../../../src/clients/shared/key-index.ts";
import kv from "../../../src/index.ts";
import { StoredRecord } from "../../../src/record/record.ts";
import { compareKeys } from "../../../src/record/utf8.ts";

const indexOver = (map: Map<unknown, unknown>): KeyIndex =>
  new KeyIndex({
    all: () => map.keys(),
    has: (key) => map.has(key),
    isDamaged: (size) => size !== map.size,
  });

const KEY = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
  fc.stringMatching(/^[ab]{1,6}$/),
);

describe("an index of keys", () => {
  it("gives the same pages as sorting all keys, after any adding and removing", () => {
    const step = fc.record({
      writes: fc.array(fc.tuple(KEY, fc.boolean()), { maxLength: 30 }),
      prefix: fc.constantFrom("", "a", "ab", "b", "\u{1f600}"),
      after: fc.option(KEY),
      limit: fc.integer({ min: 1, max: 10 }),
      reverse: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const map = new Map<string, number>(Array.from({ length: 200 }, (_, i) => [`k${i}`, i]));
        const index = indexOver(map);
        for (const { writes, prefix, after, limit, reverse } of steps) {
          for (const [key, isAdded] of writes) {
            index.note(key);
            if (isAdded) map.set(key, 1);
            else map.delete(key);
          }
          const start = after === null ? null : prefix + after;
          const sign = reverse ? -1 : 1;
          const all = [...map.keys()]
            .filter((key) => key.startsWith(prefix))
            .sort((a, b) => sign * compareKeys(a, b))
            .filter((key) => start === null || sign * compareKeys(key, start) > 0);
          const query = { prefix, after: start, limit, reverse, values: false };
          const page = index.page(query, () => new StoredRecord(1, null, 1, null));
          expect(page.entries.map(([key]) => key)).toEqual(all.slice(0, limit));
          expect(page.next).toBe(all.length >= limit ? all[limit - 1] : null);
        }
      }),
    );
  });

  it("finds keys that were put into the Map behind its back, and forgets removed ones", () => {
    const map = new Map<string, number>([["a", 1]]);
    const index = indexOver(map);
    map.set("b", 1);
    expect([...index.keys("")]).toEqual(["a", "b"]);
    map.delete("a");
    expect([...index.keys("")]).toEqual(["b"]);
  });

  it("keeps its order in chunks, however many keys are added one by one", () => {
    const map = new Map<string, number>([["m", 1]]);
    const index = indexOver(map);
    const names = Array.from({ length: 5000 }, (_, i) =>
      String((i * 7919) % 5000).padStart(5, "0"),
    );
    for (const name of names) {
      map.set(name, 1);
      index.note(name);
      if (Number(name) % 50 === 0) [...index.keys("zzz")];
    }
    expect([...index.keys("")]).toEqual([...map.keys()].sort());
  });
});

describe("list() of a Map", () => {
  it("costs the page, not the Map", async () => {
    let walks = 0;
    class Counted extends Map<unknown, unknown> {
      override keys(): ReturnType<Map<unknown, unknown>["keys"]> {
        walks++;
        return super.keys();
      }
    }
    const store = kv(new Counted());
    await store.setMany(
      Array.from({ length: 5000 }, (_, i) => [`k${String(i).padStart(4, "0")}`, i]),
    );
    let page = await store.list({ limit: 10 });
    for (let i = 0; i < 20; i++) {
      await store.set(`n${i}`, i);
      await store.del(`k000${i % 10}`);
      page = await store.list({ limit: 10, cursor: page.cursor });
    }
    expect(page.entries[0]!.key).toBe("k0200");
    expect(walks).toBe(1);
  });
});
