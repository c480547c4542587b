import { describe, expect, it } from "vitest";
import type { Store } from "../../../src/api.ts";
import {
  type IndexOptions,
  type Key,
  versioned,
  type VersionedStore,
} from "../../../src/versioned/index.ts";
import { until } from "../../support/daemon.ts";

interface User {
  email?: string | null;
  team?: string;
  age?: number;
}

const INDEXES = {
  email: { prefix: ["users"], of: (user: User) => user.email, unique: true },
  team: { prefix: ["users"], of: (user: User) => user.team },
  age: {
    prefix: ["users"],
    of: ({ team, age }: User) => (team === undefined || age === undefined ? null : [team, age]),
  },
} satisfies { [name: string]: IndexOptions<User> };

const idsOf = async (list: AsyncIterable<{ key: readonly unknown[] }>): Promise<unknown[]> => {
  const ids: unknown[] = [];
  for await (const { key } of list) ids.push(key.slice(1).join("."));
  return ids;
};

/**
 * Everything that indexes promise. `open` answers with an empty store; `another`, with one over the
 * same data.
 */
export function indexSuite(
  name: string,
  open: () => Store | Promise<Store>,
  another?: () => Store | Promise<Store>,
): void {
  const test = (what: string, work: (users: VersionedStore, store: Store) => Promise<void>): void =>
    it(what, async () => {
      const store = await open();
      try {
        await work(versioned(store, { indexes: INDEXES }), store);
      } finally {
        await store.close();
      }
    });
  /** The texts of all that the client has for indexes. */
  const places = async (store: Store): Promise<string[]> =>
    (await store.keys()).filter((key) => key.startsWith("! ")).sort();
  /** Whether every entry is found by every index and nothing else is. */
  const isWhole = async (users: VersionedStore, store: Store): Promise<boolean> => {
    const before = await places(store);
    await store.delMany(before);
    await users.reindex();
    return JSON.stringify(before) === JSON.stringify(await places(store));
  };

  describe(`${name} with indexes`, () => {
    test("finds entries that are set or moved, and no deleted ones", async (users, store) => {
      const ann = await users.set(["users", "1"], { email: "ann@x", team: "red", age: 41 });
      const { ok: _, ...entry } = ann;
      expect(await users.getBy("email", "ann@x")).toStrictEqual(entry);
      await users.set(["users", "2"], { email: null, team: "red" });
      await users.set(["users", "3"], { age: 5 });
      expect(await idsOf(users.listBy("team", "red"))).toStrictEqual(["1", "2"]);
      expect(await idsOf(users.listBy("age", ["red", 41]))).toStrictEqual(["1"]);
      expect(await idsOf(users.listBy("age", ["red"]))).toStrictEqual([]);
      expect(await idsOf(users.listBy("email", "ann@x"))).toStrictEqual(["1"]);
      await users.set(["users", "1"], { email: "ann@y", team: "blue", age: 42 });
      expect([
        await users.getBy("email", "ann@x"),
        (await users.getBy("email", "ann@y"))!.key,
      ]).toStrictEqual([null, ["users", "1"]]);
      expect([
        await idsOf(users.listBy("team", "red")),
        await idsOf(users.listBy("team", "blue")),
      ]).toStrictEqual([["2"], ["1"]]);
      expect(await isWhole(users, store)).toBe(true);
      expect(await users.delete(["users", "1"])).toBe(true);
      expect(await users.getBy("email", "ann@y")).toBe(null);
      await users.atomic().delete(["users", "2"]).delete(["users", "3"]).commit();
      expect(await store.keys()).toStrictEqual([]);
    });

    test("indexes only its prefix, and lists no index as an entry", async (users, store) => {
      await users
        .atomic()
        .set(["users"], { email: "a" })
        .set(["users2", "1"], { email: "a" })
        .set(["users", 1n, true], { email: "a", team: "t" })
        .commit();
      expect((await users.getBy("email", "a"))!.key).toStrictEqual(["users", 1n, true]);
      expect((await places(store)).length).toBe(2);
      expect(await idsOf(users.list({ prefix: [] }, { limit: 1 }))).toStrictEqual([""]);
      expect((await idsOf(users.list({ prefix: [] }))).length).toBe(3);
      expect(
        (await idsOf(users.list({ prefix: [] }, { reverse: true, batchSize: 1 }))).length,
      ).toBe(3);
    });

    test("refuses a second owner of a unique value, and writes nothing", async (users, store) => {
      await users.set(["users", "1"], { email: "a", team: "red" });
      await users.set(["users", "2"], { email: "b", team: "red" });
      const before = await store.all();
      await expect(users.set(["users", "3"], { email: "a" })).rejects.toMatchObject({
        name: "KvError",
        code: "KV_VALIDATION",
      });
      await expect(users.set(["users", "2"], { email: "a" })).rejects.toMatchObject({
        code: "KV_VALIDATION",
      });
      expect(
        await users.atomic().set(["other"], 1).set(["users", "3"], { email: "a" }).commit(),
      ).toStrictEqual({ ok: false });
      expect(
        await users
          .atomic()
          .set(["users", "3"], { email: "c" })
          .set(["users", "4"], { email: "c" })
          .commit(),
      ).toStrictEqual({ ok: false });
      expect(await store.all()).toStrictEqual(before);
      expect(await users.set(["users", "1"], { email: "a" })).toMatchObject({ ok: true });
    });

    test("swaps, passes on and frees unique values in one transaction", async (users, store) => {
      const [a, b, c] = [
        ["users", "a"],
        ["users", "b"],
        ["users", "c"],
      ];
      await users
        .atomic()
        .set(a!, { email: "a" })
        .set(b!, { email: "b" })
        .set(c!, { email: "c" })
        .commit();
      expect(
        (await users.atomic().set(a!, { email: "b" }).set(b!, { email: "a" }).commit()).ok,
      ).toBe(true);
      expect([
        (await users.getBy("email", "a"))!.key,
        (await users.getBy("email", "b"))!.key,
      ]).toStrictEqual([b, a]);
      expect(
        (
          await users
            .atomic()
            .set(a!, { email: "a" })
            .set(b!, { email: "c" })
            .set(c!, { email: "b" })
            .commit()
        ).ok,
      ).toBe(true);
      expect((await users.atomic().delete(a!).set(b!, { email: "a" }).commit()).ok).toBe(true);
      expect(
        (
          await users
            .atomic()
            .set(c!, { email: "x" })
            .set(c!, { email: null })
            .set(a!, { email: "b" })
            .commit()
        ).ok,
      ).toBe(true);
      const owners = await Promise.all(
        ["a", "b", "c", "x"].map(async (email) => (await users.getBy("email", email))?.key),
      );
      expect(owners).toStrictEqual([b, a, undefined, undefined]);
      expect(await isWhole(users, store)).toBe(true);
    });

    test("lets one of many win a unique value, and the others know", async (users, store) => {
      const other =
        another === undefined ? users : versioned(await another(), { indexes: INDEXES });
      const claims = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          (i % 2 === 0 ? users : other).set(["users", i], { email: "one", team: "t" }).then(
            () => true,
            (error: { code: string }) => error.code,
          ),
        ),
      );
      expect(claims.filter((claim) => claim === true).length).toBe(1);
      expect(claims.filter((claim) => claim === "KV_VALIDATION").length).toBe(49);
      expect((await users.getBy("email", "one"))!.key).toStrictEqual([
        "users",
        claims.indexOf(true),
      ]);
      const commits = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          (i % 2 === 0 ? users : other)
            .atomic()
            .set(["users", 100 + i], { email: "two" })
            .commit(),
        ),
      );
      expect(commits.filter(({ ok }) => ok).length).toBe(1);
      expect((await idsOf(users.list({ prefix: ["users"] }))).length).toBe(2);
      expect(await isWhole(users, store)).toBe(true);
      if (other !== users) await other.close();
    });

    test("stays right while many write, move and delete the same entries", async (users, store) => {
      const emails = ["a", "b", "c"];
      const work = async (worker: number): Promise<void> => {
        for (let i = 0; i < 15; i++) {
          const key = ["users", Math.floor(Math.random() * 4)];
          if (Math.random() < 0.3) await users.delete(key);
          else
            await users
              .set(key, {
                email: emails[Math.floor(Math.random() * 3)]!,
                team: `${worker}`,
                age: i,
              })
              .catch((error: { code: string }) => expect(error.code).toBe("KV_VALIDATION"));
        }
      };
      await Promise.all([0, 1, 2, 3].map(work));
      for await (const { key, value } of users.list<User>({ prefix: ["users"] })) {
        expect((await users.getBy("email", value.email!))!.key).toStrictEqual(key);
        expect(await idsOf(users.listBy("team", value.team!))).toContain(`${key[1] as number}`);
      }
      expect(await isWhole(users, store)).toBe(true);
    });

    test("lists pages of an index by limit, cursor and reverse", async (users) => {
      for (let id = 1; id <= 5; id++)
        await users.set(["users", id], { team: "red", email: `${id}@x` });
      await users.set(["users", 6], { team: "redder" });
      const page = users.listBy("team", "red", { limit: 2 });
      expect(() => page.cursor).toThrow(expect.objectContaining({ code: "KV_INVALID_CURSOR" }));
      expect(await idsOf(page)).toStrictEqual(["1", "2"]);
      const second = users.listBy("team", "red", { limit: 2, cursor: page.cursor });
      expect(await idsOf(second)).toStrictEqual(["3", "4"]);
      // The cursor stays valid when its entry has left the index.
      await users.delete(["users", 4]);
      const last = users.listBy("team", "red", { cursor: second.cursor });
      expect(await idsOf(last)).toStrictEqual(["5"]);
      await users.set(["users", 7], { team: "red" });
      expect(await idsOf(users.listBy("team", "red", { cursor: last.cursor }))).toStrictEqual([]);
      const back = users.listBy("team", "red", { limit: 3, reverse: true });
      expect(await idsOf(back)).toStrictEqual(["7", "5", "3"]);
      expect(
        await idsOf(users.listBy("team", "red", { reverse: true, cursor: back.cursor })),
      ).toStrictEqual(["2", "1"]);
      const single = users.listBy("email", "5@x", { limit: 1 });
      expect(await idsOf(single)).toStrictEqual(["5"]);
      expect(await idsOf(users.listBy("email", "5@x", { cursor: single.cursor }))).toStrictEqual(
        [],
      );
      const { cursor } = page;
      for (const call of [
        () => users.listBy("team", "red", { cursor, reverse: true }).next(),
        () => users.listBy("team", "blue", { cursor }).next(),
        () => users.listBy("team", "red", { cursor: "x" }).next(),
      ])
        await expect(call()).rejects.toMatchObject({ code: "KV_INVALID_CURSOR" });
      for (const limit of [0, -1, 1.5, "2"]) {
        expect(() => users.listBy("team", "red", { limit: limit as number })).toThrow(
          expect.objectContaining({ code: "KV_INVALID_VALUE" }),
        );
      }
    });

    test("counts only found entries towards the limit of a listing", async (users, store) => {
      for (const id of ["1", "2", "3", "4"]) await users.set(["users", id], { team: "red" });
      // Deleted without the index: its index entries stay.
      await store.delMany(["users 1", "users 2"]);
      const page = users.listBy("team", "red", { limit: 1 });
      expect(await idsOf(page)).toStrictEqual(["3"]);
      expect(
        await idsOf(users.listBy("team", "red", { limit: 9, cursor: page.cursor })),
      ).toStrictEqual(["4"]);
    });

    test("lists in the order of keys, more than one request brings", async (users) => {
      const ids = Array.from({ length: 250 }, (_, i) => i);
      for (let i = 0; i < 250; i += 50)
        await Promise.all(
          ids
            .slice(i, i + 50)
            .map((id) => users.set(["users", id % 2 === 0 ? id : `${id}`], { team: "all" })),
        );
      const listed: unknown[] = [];
      for await (const { key } of users.listBy("team", "all")) listed.push(key[1]);
      const texts = ids
        .filter((id) => id % 2 === 1)
        .map(String)
        .sort();
      expect(listed).toStrictEqual([...texts, ...ids.filter((id) => id % 2 === 0)]);
      for await (const { key } of users.listBy("team", "all")) {
        expect(key).toStrictEqual(["users", texts[0]]);
        break;
      }
    });

    test("takes parts of any type, and no two for the same", async (users, store) => {
      const any = versioned(store, {
        indexes: { by: { prefix: [], of: ({ by }: { by: Key }) => by } },
      });
      // By ["a"] and ["a", "users"], keys and parts together are the same.
      const entries: [Key, Key][] = [
        [["x", "x", 1], ["a"]],
        [
          ["x", 1],
          ["a", "x"],
        ],
        [["k", 1], [1]],
        [["k", 2], [1n]],
        [["k", 3], ["1"]],
        [["k", 4], [true]],
        [["k", 5], [Uint8Array.of(1)]],
        [
          ["k", 6],
          ["", " "],
        ],
        [["__proto__"], ["__proto__"]],
      ];
      // What is stored is JSON: the parts come from the key there.
      const parts = new Map(entries.map(([key, by]) => [JSON.stringify(key), by]));
      const typed = versioned(store, {
        indexes: {
          by: { prefix: [], of: (_: unknown, key: Key) => parts.get(JSON.stringify(key)) },
        },
      });
      for (const [key] of entries) await typed.set(key, 1);
      for (const [key, by] of entries) {
        const found: unknown[] = [];
        for await (const entry of typed.listBy("by", by)) found.push(entry.key);
        expect(found).toStrictEqual([key]);
      }
      await expect(any.set(["k", 1], { by: [] })).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      });
      await expect(users.getBy("email", [])).rejects.toMatchObject({ code: "KV_INVALID_KEY" });
    });

    test("forgets an expired entry, and frees its unique value", async (users, store) => {
      await users.set(["users", "1"], { email: "a", team: "t" }, { expireIn: 50 });
      await users.set(["users", "2"], { email: "b", team: "t" }, { expires: "1h" });
      const deadlines = await Promise.all(
        ["users 2", "! email b  ", "! team t  users 2"].map(
          async (key) => (await store.entry(key))!.expires,
        ),
      );
      expect(deadlines).toStrictEqual(Array(3).fill(deadlines[0]));
      await until("it is gone", async () => (await users.get(["users", "1"])).version === null);
      expect(await users.getBy("email", "a")).toBe(null);
      expect(await idsOf(users.listBy("team", "t"))).toStrictEqual(["2"]);
      await users.set(["users", "3"], { email: "a" });
      expect((await users.getBy("email", "a"))!.key).toStrictEqual(["users", "3"]);
    });

    test("refuses values that an index cannot hold, and drops them", async (users, store) => {
      for (const wrong of [
        null,
        { email: {} },
        { email: new Date(0).toISOString(), team: { a: 1 } },
        { email: [] },
        { email: [null] },
      ]) {
        await expect(users.set(["users", "1"], wrong)).rejects.toMatchObject({
          code: "KV_INVALID_VALUE",
        });
        await expect(
          users.atomic().set(["a"], 1).set(["users", "1"], wrong).commit(),
        ).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      }
      expect(await store.keys()).toStrictEqual([]);
      const plain = versioned(store);
      await plain.set(["users", "1"], null);
      await expect(users.reindex()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      await users.set(["users", "1"], { email: "a" });
      await plain.set(["users", "1"], null);
      expect(await users.getBy("email", "a")).toBe(null);
      expect(await users.delete(["users", "1"])).toBe(true);
      await users.set(["users", "2"], { email: "a" });
      for (const call of [
        () => users.getBy("nope", "a"),
        () => users.getBy("team", "a"),
        () => users.listBy("nope", "a").next(),
      ])
        await expect(call()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      for (const wrong of [{ prefix: ["a"] }, null, "a"])
        expect(() => versioned(store, { indexes: { x: wrong as never } })).toThrow(
          expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
        );
      expect(() =>
        versioned(store, { indexes: { x: { prefix: [null], of: () => 1 } as never } }),
      ).toThrow(expect.objectContaining({ code: "KV_INVALID_KEY" }) as Error);
    });

    test("is rebuilt for old data by reindex(), which reports progress", async (users, store) => {
      const plain = versioned(store);
      for (let i = 0; i < 120; i++)
        await plain.set(["users", i], { email: `${i}@x`, team: i % 2 === 0 ? "even" : "odd" });
      await plain.set(["users", "later"], { team: "even" }, { expires: "1h" });
      // Left over from entries that were changed or deleted without the index.
      await users.set(["users", 1000], { email: "gone@x", team: "even" });
      await users.set(["users", 1001], { email: "moved@x", team: "even" });
      await plain.delete(["users", 1000]);
      await plain.set(["users", 1001], { email: "here@x", team: "odd" });
      expect(await idsOf(users.listBy("team", "odd"))).toStrictEqual([]);
      expect([
        await users.getBy("email", "gone@x"),
        await users.getBy("email", "moved@x"),
      ]).toStrictEqual([null, null]);
      const progress: number[] = [];
      expect(await users.reindex({ progress: (done) => void progress.push(done) })).toBe(3 * 122);
      expect(progress).toStrictEqual(Array.from({ length: 3 * 122 }, (_, i) => i + 1));
      expect((await idsOf(users.listBy("team", "odd"))).length).toBe(61);
      expect((await users.getBy("email", "here@x"))!.key).toStrictEqual(["users", 1001]);
      expect((await places(store)).length).toBe(121 + 122);
      expect((await store.entry("! team even  users later"))!.expires).toBe(
        (await store.entry("users later"))!.expires,
      );
      expect(await users.reindex()).toBe(3 * 122);
    });

    test("takes over a unique value only if its owner has changed", async (users, store) => {
      const plain = versioned(store);
      await users.set(["users", "1"], { email: "a" });
      await plain.set(["users", "1"], { email: "z" });
      await users.set(["users", "2"], { email: "a" });
      expect((await users.getBy("email", "a"))!.key).toStrictEqual(["users", "2"]);
      // Old data with the same: it does not take the place from its owner when it moves or goes.
      await plain.set(["users", "3"], { email: "a" });
      await expect(users.reindex()).rejects.toMatchObject({ code: "KV_VALIDATION" });
      await users.set(["users", "3"], { email: "c" });
      expect((await users.getBy("email", "a"))!.key).toStrictEqual(["users", "2"]);
      await plain.set(["users", "4"], { email: "a" });
      await users.delete(["users", "4"]);
      expect((await users.getBy("email", "a"))!.key).toStrictEqual(["users", "2"]);
      await users.reindex();
      expect(await isWhole(users, store)).toBe(true);
    });
  });
}
