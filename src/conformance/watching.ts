import type { Store, StoreWatch, WatchEvent } from "../api.ts";
import { expectEqual, broken } from "./check.ts";
import type { Statement } from "./subject.ts";

/** How soon a change is expected, in milliseconds. A busy machine may need long. */
const PATIENCE = 60_000;

/** The short interval at which clients that report nothing are looked at. */
const SOON = { interval: "50ms" };

/** The next change; fails when none comes. */
async function next(watch: StoreWatch<unknown>): Promise<WatchEvent<unknown>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), PATIENCE);
  });
  const result = await Promise.race([watch.next(), late]);
  clearTimeout(timer);
  if (result === "late") return broken("no change was reported");
  if (result.done === true) return broken("the watch ended");
  return result.value;
}

/** Reads changes until each key has the value; `null` for an absent one. */
async function until(
  watch: StoreWatch<unknown>,
  expected: { readonly [key: string]: unknown },
): Promise<WatchEvent<unknown>[]> {
  const seen: WatchEvent<unknown>[] = [];
  const missing = new Map(Object.entries(expected));
  while (missing.size > 0) {
    const change = await next(watch);
    seen.push(change);
    const { key, entry } = change;
    if (!(key in expected)) broken(`a change of ${JSON.stringify(key)} was reported`);
    if (JSON.stringify(entry?.value ?? null) === JSON.stringify(expected[key])) missing.delete(key);
  }
  return seen;
}

async function opened(watch: StoreWatch<unknown>): Promise<StoreWatch<unknown>> {
  await watch.ready;
  return watch;
}

const isListed = (store: Store): boolean => store.supports.iterate;

/** Statements W1 to W5: the reports of a watch. */
export const watching: readonly Statement[] = [
  [
    "W1",
    "a watch reports the last change of a key, of several keys and of a prefix",
    async ({ store }) => {
      await store.set("a", 0);
      const one = await opened(store.watch("a", SOON));
      const some = await opened(store.watch(["a", "b"], SOON));
      await store.set("c", 1);
      await store.set("a", 1);
      expectEqual((await until(one, { a: 1 })).at(-1)!.entry!.key, "a", "the key of the entry");
      await store.setMany([
        ["b", { deep: [1] }],
        ["c", 2],
      ]);
      await store.del("a");
      await until(one, { a: null });
      await until(some, { a: null, b: { deep: [1] } });
      await Promise.all([one.close(), some.close()]);
    },
  ],
  [
    "W1",
    "a watch of a prefix reports every key under it and no other, without the store's prefix",
    async ({ store }) => {
      if (!isListed(store)) return;
      const part = store.prefix("w:");
      await part.setMany([
        ["x1", 1],
        ["x2", 2],
        ["y", 3],
      ]);
      const all = await opened(part.watch({ prefix: "" }, SOON));
      const under = await opened(part.watch({ prefix: "x" }, SOON));
      await store.set("v", 1);
      await part.set("y", 4);
      await part.del("x1");
      await part.set("x3", 3);
      await until(under, { x1: null, x3: 3 });
      await until(all, { x1: null, x3: 3, y: 4 });
      await part.clear();
      await until(all, { x2: null, x3: null, y: null });
      await until(under, { x2: null, x3: null });
      expectEqual(await store.get("v"), 1, "the key outside of the prefix");
      await Promise.all([all.close(), under.close()]);
    },
  ],
  [
    "W1",
    "initial: true starts with the entries that are there, and null for a named key without one",
    async ({ store }) => {
      await store.set("a", 1, { metadata: { by: "ann" } });
      const named = store.watch(["a", "b"], { initial: true, ...SOON });
      const found = [await next(named), await next(named)];
      const a = found.find(({ key }) => key === "a")!;
      expectEqual(
        [a.entry?.value, a.entry?.metadata],
        [1, (await store.entry("a"))!.metadata],
        "a",
      );
      expectEqual(found.find(({ key }) => key === "b")?.entry, null, "b");
      await named.close();
      if (!isListed(store)) return;
      const all = store.watch({ prefix: "" }, { initial: true, ...SOON });
      expectEqual((await next(all)).entry?.value, 1, "the entry of the prefix");
      await store.set("a", 2);
      await until(all, { a: 2 });
      await all.close();
    },
  ],
  [
    "W2",
    "versions of a key only grow, and every watch ends with the last state",
    async ({ store }) => {
      const watches = await Promise.all([1, 2, 3].map(() => opened(store.watch(["a", "b"], SOON))));
      const ends = watches.map((watch) => until(watch, { a: "end", b: "end" }));
      for (let i = 0; i < 25; i++)
        await Promise.all([store.set("a", i), i % 5 === 4 ? store.del("b") : store.set("b", i)]);
      await store.setMany([
        ["a", "end"],
        ["b", "end"],
      ]);
      for (const changes of await Promise.all(ends))
        for (const key of ["a", "b"]) {
          const versions = changes
            .filter((change) => change.key === key)
            .map(({ entry }) => entry?.version ?? "")
            .filter(Boolean);
          expectEqual([...versions].sort(), versions, `the versions of ${key} in order`);
        }
      await Promise.all(watches.map((watch) => watch.close()));
    },
  ],
  [
    "W3",
    "the deadline of a key is reported as its absence",
    async ({ store, clock }) => {
      const watch = await opened(store.watch("a", SOON));
      await store.set("a", 1, { expires: clock.frozen ? "50ms" : "1s" });
      await until(watch, { a: 1 });
      await clock.advance(clock.frozen ? 50 : 1000);
      expectEqual((await until(watch, { a: null })).at(-1)!.entry, null, "after the deadline");
      expectEqual(await store.get("a"), null, "the value after the deadline");
      await watch.close();
    },
  ],
  [
    "W5",
    "a watch ends with close(), break, its signal and the store's close(), and never again reports",
    async ({ store }) => {
      const closed = await opened(store.watch("a", SOON));
      const pending = closed.next();
      await closed.close();
      await closed.close();
      expectEqual((await pending).done, true, "a pending next() after close()");
      expectEqual((await closed.next()).done, true, "next() after close()");

      const aborting = new AbortController();
      const aborted = await opened(store.watch("a", { signal: aborting.signal, ...SOON }));
      const waiting = aborted.next();
      aborting.abort();
      expectEqual((await waiting).done, true, "a pending next() after the signal");

      const left = await opened(store.watch("a", SOON));
      await store.set("a", 1);
      for await (const { entry } of left) {
        expectEqual(entry?.value, 1, "the change before the break");
        break;
      }
      expectEqual((await left.next()).done, true, "next() after break");

      const last = await opened(store.watch("a", SOON));
      const end = last.next();
      await store.close();
      expectEqual((await end).done, true, "a pending next() after the store's close()");
    },
  ],
  [
    "W5",
    "a thousand watches report one change each, and end",
    async ({ store }) => {
      const watches = Array.from({ length: 1000 }, () => store.watch("a", SOON));
      await Promise.all(watches.map(({ ready }) => ready));
      const changes = watches.map((watch) => next(watch));
      await store.set("a", 1);
      const values = (await Promise.all(changes)).map(({ entry }) => entry?.value);
      expectEqual(new Set(values).size, 1, "different values");
      expectEqual(values[0], 1, "the value");
      await Promise.all(watches.map((watch) => watch.close()));
    },
  ],
  [
    "W5",
    "watching is refused for a bad key, too many keys, a bad option and a closed store",
    async ({ store }) => {
      const code = (watch: StoreWatch<unknown>): Promise<string> =>
        watch.ready.then(
          () => "ready",
          (error: { code: string }) => error.code,
        );
      const many = Array.from({ length: 1001 }, (_, i) => `k${i}`);
      expectEqual(await code(store.watch("")), "KV_INVALID_KEY", "an empty key");
      expectEqual(await code(store.watch(["a", "\ud800"])), "KV_INVALID_KEY", "a lone surrogate");
      expectEqual(await code(store.watch(many)), "KV_INVALID_VALUE", "1,001 keys");
      expectEqual(await code(store.watch(1 as never)), "KV_INVALID_VALUE", "a number");
      const unknown = store.watch("a", { every: 1 } as never);
      expectEqual(await code(unknown), "KV_INVALID_VALUE", "an unknown option");
      await store.close();
      expectEqual(await code(store.watch("a")), "KV_CLOSED", "a closed store");
    },
  ],
];
