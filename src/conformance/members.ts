import type { Store } from "../api.ts";
import { expectEqual, ok, refused, sorted } from "./check.ts";
import type { Statement } from "./subject.ts";

/** The members of the store beyond the numbered statements, and N2. */
export const members: readonly Statement[] = [
  [
    "S",
    "set, add, del and their plural forms resolve to keys, in order",
    async ({ store }) => {
      expectEqual(await store.set("a", 1), "a", "set");
      expectEqual(await store.set("a", null), "a", "set of null");
      expectEqual(await store.del("a"), "a", "del");
      const pairs: [string, number][] = [
        ["c", 3],
        ["a", 1],
        ["b", 2],
        ["a", 4],
      ];
      expectEqual(await store.setMany(pairs), ["c", "a", "b", "a"], "setMany");
      expectEqual(await store.getMany(["a", "x", "b", "a"]), [4, null, 2, 4], "getMany");
      expectEqual(await store.setMany(new Map([["m", 1]])), ["m"], "setMany of a Map");
      expectEqual(await store.setMany([["m", null as never]]), ["m"], "setMany of null");
      expectEqual(await store.has("m"), false, "has after setMany of null");
      expectEqual(await store.delMany(["b", "x"]), ["b", "x"], "delMany");
      expectEqual(await store.getMany([]), [], "getMany of nothing");
      expectEqual(await store.setMany([]), [], "setMany of nothing");
      expectEqual(await store.delMany([]), [], "delMany of nothing");
      expectEqual(await store.getMany(["a", "b", "c"]), [4, null, 3], "what is left");
    },
  ],
  [
    "S",
    "add makes keys of 24 random alphanumeric characters",
    async ({ store }) => {
      const keys = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.add(i, { metadata: i })),
      );
      expectEqual(new Set(keys).size, 20, "different keys");
      for (const [i, key] of keys.entries()) {
        ok(/^[A-Za-z0-9]{24}$/.test(key), `a key of 24 alphanumeric characters: ${key}`);
        expectEqual(await store.get(key), i, "get");
      }
    },
  ],
  [
    "S",
    "entry tells the version, the deadline and the metadata",
    async ({ store }) => {
      expectEqual(await store.entry("key"), null, "a missing key");
      await store.set("key", { a: 1 }, { metadata: { by: ["ann"], "\u0000": null } });
      const first = (await store.entry("key"))!;
      expectEqual([first.key, first.value, first.expires], ["key", { a: 1 }, null], "entry");
      // A client that keeps bare values tells of nothing else.
      if (first.version === null) return;
      expectEqual(first.metadata, { by: ["ann"], "\u0000": null }, "metadata");
      ok(
        /^[0-9a-f]{20}$/.test(first.version),
        `a version of 20 hexadecimal digits: ${first.version}`,
      );
      let { version } = first;
      for (let i = 0; i < 20; i++) {
        await store.set("key", { a: 1 });
        const next = (await store.entry("key"))!;
        ok(next.version! > version, `versions grow: ${version}, ${next.version}`);
        version = next.version!;
        expectEqual(next.metadata, null, "metadata after a rewrite without");
      }
      const listed = store.supports.iterate
        ? (await store.list()).entries
        : [await store.entry("key")];
      expectEqual(
        listed,
        [{ key: "key", value: { a: 1 }, version, expires: null, metadata: null }],
        "list",
      );
    },
  ],
  [
    "S",
    "touch moves the deadline and keeps the value",
    async ({ store, clock }) => {
      const unit = clock.frozen ? 1 : 0.2;
      expectEqual(await store.touch("key", unit), false, "touch of a missing key");
      await store.set("key", { a: [1] }, { expires: unit, metadata: "m" });
      const { metadata } = (await store.entry("key"))!;
      expectEqual(await store.touch("key", 10 * unit), true, "touch");
      await clock.advance(1000 * unit);
      expectEqual(await store.get("key"), { a: [1] }, "get after the first deadline");
      expectEqual((await store.entry("key"))?.metadata, metadata, "metadata");
      expectEqual(await store.touch("key", null), true, "touch with null");
      await clock.advance(10_000 * unit);
      expectEqual(await store.get("key"), { a: [1] }, "get after the second deadline");
      expectEqual(await store.touch("key", unit), true, "touch with a deadline again");
      await clock.advance(1000 * unit);
      expectEqual(await store.touch("key", "1h"), false, "touch of an expired key");
      expectEqual(await store.get("key"), null, "get of an expired key");
      await store.set("key", 1);
      expectEqual(await store.touch("key", 0), true, "touch with 0");
      expectEqual(await store.has("key"), false, "has after touch with 0");
    },
  ],
  [
    "S",
    "methods work detached and ignore surplus arguments; a store is no promise",
    async ({ store }) => {
      const { set, get, has, del, setMany, getMany, delMany, keys, entry } = store;
      await set("a", 1);
      expectEqual(await get("a"), 1, "get");
      await Promise.all(["b", "c"].map((key, i) => set(key, i)));
      expectEqual(await Promise.all(["a", "b"].map(get)), [1, 0], "map of get");
      expectEqual(await Promise.all(["a", "x"].map(has)), [true, false], "map of has");
      expectEqual(await Promise.all(["a", "b"].map(del)), ["a", "b"], "map of del");
      expectEqual(await getMany(await setMany([["d", 4]])), [4], "getMany of setMany");
      expectEqual(await delMany(["d"]), ["d"], "delMany");
      expectEqual((await entry("c"))?.value, 1, "entry");
      if (store.supports.iterate) expectEqual(await keys(), ["c"], "keys");
      expectEqual((await (store as unknown as Promise<Store>)) === store, true, "await of a store");
      for (const work of [
        () => store.get(1 as never),
        () => store.set("", 1),
        () => store.add(1n as never),
        () => store.list({ limit: 0 }),
      ]) {
        const result: unknown = work();
        ok(result instanceof Promise, "a refusal is a rejection");
        await (result as Promise<unknown>).catch(() => {});
      }
    },
  ],
  [
    "S",
    "all gives the keys that start with the filter, which they keep",
    async ({ store }) => {
      if (!store.supports.iterate) return;
      await store.setMany([
        ["a:1", 1],
        ["a:2", 2],
        ["b:1", 3],
        ["a", 4],
      ]);
      expectEqual(sorted(Object.keys(await store.all("a:"))), ["a:1", "a:2"], "all with a filter");
      expectEqual(sorted(Object.keys(await store.all())), ["a", "a:1", "a:2", "b:1"], "all");
      expectEqual(
        sorted(Object.keys(await store.prefix("a:").all("1"))),
        ["1"],
        "all of a prefix with a filter",
      );
      await refused("KV_INVALID_KEY", () => store.all(1 as never), "a filter that is no text");
    },
  ],
  [
    "N2",
    "close may be called twice, and everything after it is refused",
    async ({ store }) => {
      await store.set("key", 1);
      const part = store.prefix("a:");
      await Promise.all([store.close(), store.close()]);
      await part.close();
      const calls: { [name: string]: () => unknown } = {
        get: () => store.get("key"),
        set: () => store.set("key", 1),
        add: () => store.add(1),
        has: () => store.has("key"),
        del: () => part.del("key"),
        getMany: () => store.getMany(["key"]),
        setMany: () => store.setMany([["key", 1]]),
        delMany: () => store.delMany(["key"]),
        entry: () => store.entry("key"),
        touch: () => store.touch("key", 1),
        keys: () => store.keys(),
        values: () => store.values(),
        entries: () => store.entries(),
        all: () => store.all(),
        list: () => store.list(),
        iterate: () => store.iterate().next(),
        clear: () => part.clear(),
        prune: () => store.prune(),
        commit: () => store.commit([], []),
      };
      for (const [name, call] of Object.entries(calls)) await refused("KV_CLOSED", call, name);
    },
  ],
];
