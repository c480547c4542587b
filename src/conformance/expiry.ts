import type { Expires } from "../types.ts";
import { expectEqual, ok, refused } from "./check.ts";
import { DURATIONS, NOT_DURATIONS } from "./durations.ts";
import type { Statement, Trial } from "./subject.ts";

/** The deadline that a store tells of a key. Clients that keep bare values tell none. */
async function deadlineOf(store: Trial["store"], key: string): Promise<number | null | undefined> {
  return (await store.entry(key))?.expires;
}

/** Every way to see a key, all at one moment. */
async function seen(store: Trial["store"], key: string): Promise<boolean[]> {
  const ways = [
    store.get(key).then((value) => value !== null),
    store.has(key),
    store.entry(key).then((entry) => entry !== null),
    store.getMany([key]).then(([value]) => value !== null),
  ];
  if (store.supports.iterate) {
    ways.push(
      store.keys().then((keys) => keys.includes(key)),
      store.values().then((values) => values.length > 1),
      store.entries().then((entries) => entries.some(([found]) => found === key)),
      store.all().then((all) => Object.hasOwn(all, key)),
      store.list().then(({ entries }) => entries.some((entry) => entry.key === key)),
      (async () => {
        for await (const [found] of store) if (found === key) return true;
        return false;
      })(),
    );
  }
  return Promise.all(ways);
}

/** Statements E1 to E6. */
export const expiry: readonly Statement[] = [
  [
    "E1",
    "a record is there until its deadline and absent from it on, in every method",
    async ({ store, clock }) => {
      await store.set("stays", 1);
      for (const ms of [1500, 100]) {
        const set = Date.now();
        await store.set("key", "value", { expires: ms / 1000 });
        const written = Date.now();
        if (clock.frozen) {
          await clock.advance(ms - 1);
          ok(
            (await seen(store, "key")).every(Boolean),
            `one millisecond before: ${await seen(store, "key")}`,
          );
          await clock.advance(1);
          ok(
            !(await seen(store, "key")).some(Boolean),
            `at the deadline: ${await seen(store, "key")}`,
          );
          // The first look may have removed it: one that was never read must be absent as
          // well.
          for (let way = 0; way < 10; way++) {
            await store.set(`key${way}`, 1, { expires: 0.001 });
            await clock.advance(1);
            ok(!(await seen(store, `key${way}`))[way], `way ${way} of seeing it`);
          }
          continue;
        }
        for (let now = Date.now(); ; now = Date.now()) {
          const present = (await store.get("key")) !== null;
          ok(present || Date.now() >= set + ms, "gone before its deadline");
          ok(!present || now < written + ms, "there after its deadline");
          if (!present) break;
        }
        ok(!(await seen(store, "key")).some(Boolean), "seen after its deadline");
      }
      expectEqual(await store.get("stays"), 1, "another key");
    },
  ],
  [
    "E2",
    "durations mean what they say",
    async ({ store, clock }) => {
      for (const [expires, ms] of DURATIONS) {
        const before = Date.now();
        await store.set("key", 1, { expires });
        const after = Date.now();
        const at = await deadlineOf(store, "key");
        // A short deadline may be over by now while time passes by itself.
        if (at !== null && at !== undefined)
          ok(
            at >= before + ms && at <= after + ms,
            `expires: ${JSON.stringify(expires)} ended ${at - before} ms later`,
          );
        if (clock.frozen || ms > 60_000)
          expectEqual(await store.has("key"), true, `has with expires: ${JSON.stringify(expires)}`);
      }
      if (!clock.frozen) return;
      const moment = new Date(Date.now() + 12_345);
      await store.set("key", 1, { expires: moment });
      await clock.advance(12_344);
      expectEqual(await store.has("key"), true, "one millisecond before a Date");
      await clock.advance(1);
      expectEqual(await store.has("key"), false, "at a Date");
    },
  ],
  [
    "E2",
    "an expiry that cannot be read is refused, and nothing is written",
    async ({ store }) => {
      await store.set("key", "before");
      for (const expires of NOT_DURATIONS as readonly Expires[]) {
        const what = typeof expires === "string" ? JSON.stringify(expires) : typeof expires;
        await refused(
          "KV_INVALID_EXPIRES",
          () => store.set("key", "after", { expires }),
          `set with ${what}`,
        );
        await refused(
          "KV_INVALID_EXPIRES",
          () => store.add("after", { expires }),
          `add with ${what}`,
        );
        await refused(
          "KV_INVALID_EXPIRES",
          () => store.setMany([["key", "after"]], { expires }),
          `setMany with ${what}`,
        );
        await refused(
          "KV_INVALID_EXPIRES",
          () => store.touch("key", expires),
          `touch with ${what}`,
        );
        await refused(
          "KV_INVALID_EXPIRES",
          async () => store.expires(expires),
          `a default of ${what}`,
        );
      }
      expectEqual(await store.get("key"), "before", "what was stored");
      if (store.supports.iterate) expectEqual(await store.keys(), ["key"], "keys");
    },
  ],
  [
    "E2",
    "zero, a negative number and a moment that has passed delete",
    async ({ store }) => {
      for (const expires of [0, -0, -1, -1e9, "0", "0s", new Date(0), new Date(Date.now() - 1)]) {
        await store.set("key", 1);
        expectEqual(await store.set("key", 2, { expires }), "key", "set");
        expectEqual(await store.get("key"), null, `get after expires: ${String(expires)}`);
        expectEqual(await store.has("key"), false, `has after expires: ${String(expires)}`);
      }
    },
  ],
  [
    "E4",
    "a rewrite without an expiry removes the deadline; the default applies, and null overrides it",
    async ({ store, clock }) => {
      const short = clock.frozen ? 60 : 0.2;
      await store.set("key", 1, { expires: short });
      await store.set("key", 2);
      const cache = store.expires(short);
      await cache.set("default", 1);
      await cache.set("undefined", 1, { expires: undefined });
      await cache.set("null", 1, { expires: null });
      await cache.set("own", 1, { expires: "1d" });
      await cache.prefix("p:").set("nested", 1);
      await cache.expires(null).set("never", 1);
      await clock.advance(short * 1000);
      const kept = ["key", "null", "own", "never"];
      for (const key of kept) expectEqual(await store.has(key), true, `has of ${key}`);
      for (const key of ["default", "undefined", "p:nested"])
        expectEqual(await store.has(key), false, `has of ${key}`);
    },
  ],
  [
    "E5",
    "an expired record leaves the client when it is read, when it is pruned, and as others are " +
      "written",
    async ({ store, clock }) => {
      if (store.supports.expires === "native" || !clock.frozen) return;
      const expiring = async (count: number, prefix: string): Promise<void> => {
        await store.setMany(
          Array.from({ length: count }, (_, i) => [`${prefix}${i}`, i]),
          { expires: 1 },
        );
        await clock.advance(1000);
      };
      await expiring(3, "read:");
      expectEqual(await store.get("read:0"), null, "get");
      expectEqual(await store.prune(), 2, "prune after one was read");
      expectEqual(await store.prune(), 0, "prune again");
      if (!store.supports.iterate) return;
      await expiring(3, "listed:");
      expectEqual(await store.entries(), [], "entries");
      expectEqual(await store.prune(), 0, "prune after a listing");
      await store.set("stays", 1);
      await expiring(3, "pruned:");
      await store.prefix("other:").set("x", 1, { expires: 1 });
      await clock.advance(1000);
      expectEqual(await store.prefix("pruned:").prune(), 3, "prune of a prefix");
      expectEqual(await store.prune(), 1, "prune of the rest");
      await expiring(200, "swept:");
      for (let i = 0; i < 8; i++)
        await store.setMany(Array.from({ length: 130 }, (_, j) => [`w${j}`, i]));
      expectEqual(await store.prune(), 0, "prune after 1,000 other writes");
      expectEqual(await store.get("stays"), 1, "a record without a deadline");
    },
  ],
  [
    "E5",
    "a reader that meets an expired record never deletes the one that replaces it",
    async ({ store, clock }) => {
      for (let round = 0; round < 20; round++) {
        await store.set("key", "old", { expires: clock.frozen ? 1 : 0.01 });
        await clock.advance(clock.frozen ? 1000 : 10);
        await Promise.all([
          store.get("key"),
          store.set("key", "new"),
          store.get("key"),
          store.has("key"),
        ]);
        expectEqual(await store.get("key"), "new", "get");
      }
    },
  ],
  [
    "E6",
    "deadlines up to the year 9999 work",
    async ({ store, clock }) => {
      for (const expires of ["25d", "30d", "10y", new Date("9999-12-31T23:59:59.999Z")]) {
        await store.set("key", 1, { expires });
        expectEqual(await store.get("key"), 1, `get with expires: ${String(expires)}`);
        if (clock.frozen) await clock.advance(24 * 3600_000);
        expectEqual(await store.get("key"), 1, `get later with expires: ${String(expires)}`);
      }
    },
  ],
  [
    "E1",
    "deadlines outlive the store",
    async ({ store, clock, subject }) => {
      if (!store.supports.persistent) return;
      await store.set("short", 1, { expires: 1 });
      await store.set("long", { a: [1] }, { expires: "1h", metadata: "m" });
      const before = await store.entry("long");
      await store.close();
      const again = await subject.reopen!(store);
      try {
        expectEqual(await again.get("short"), 1, "before the deadline");
        await clock.advance(1000);
        expectEqual(await again.get("short"), null, "after the deadline");
        expectEqual(await again.entry("long"), before, "entry");
      } finally {
        await again.close();
      }
    },
    (subject) => subject.reopen !== undefined,
  ],
];
