import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { Level } from "level";
import { MemoryLevel } from "memory-level";
import { afterEach, describe, expect, it, vi } from "vitest";
import kv, { type Client, type CustomClient, type Expires, type Store } from "../src/index.ts";
import { place } from "./support/disk.ts";
import { eventually } from "./support/eventually.ts";
import { DRIVERS, type Handle } from "./support/sqlite-drivers.ts";

/** A client, and everything that is in it as one text: what a thief of the data would see. */
interface Victim {
  client: Client;
  raw(): string | Promise<string>;
}

function own(
  members: Partial<CustomClient> = {},
): Omit<Victim, "client"> & { client: CustomClient; data: Map<string, unknown> } {
  const data = new Map<string, unknown>();
  const client: CustomClient = {
    get: (key) => data.get(key),
    set: (key, value) => void data.set(key, value),
    del: (key) => void data.delete(key),
    *iterate(prefix) {
      for (const [key, value] of [...data]) if (key.startsWith(prefix)) yield [key, value];
    },
    ...members,
  };
  return { client, data, raw: () => JSON.stringify([...data]) };
}

function sqlite(open: (path: string) => Handle): Victim {
  const db = open(":memory:");
  return { client: db, raw: () => JSON.stringify(db.prepare("SELECT * FROM kv").all()) };
}

const CLIENTS: { readonly [name: string]: () => Victim } = {
  "a Map": () => {
    const map = new Map();
    return { client: map, raw: () => JSON.stringify([...map]) };
  },
  "a file": () => {
    const path = join(place(), "data.json");
    return {
      client: pathToFileURL(path),
      raw: () => (existsSync(path) ? readFileSync(path, "utf8") : ""),
    };
  },
  "a folder": () => {
    const path = join(place(), "data");
    const files = (): string[] => (existsSync(path) ? readdirSync(path) : []);
    return {
      client: pathToFileURL(`${path}/`),
      raw: () =>
        files()
          .map((name) => name + readFileSync(join(path, name), "utf8"))
          .join(),
    };
  },
  "a Level database": () => {
    const db = new Level(join(place(), "db"));
    return { client: db, raw: async () => JSON.stringify(await db.iterator().all()) };
  },
  ...Object.fromEntries(Object.entries(DRIVERS).map(([name, open]) => [name, () => sqlite(open)])),
  "a client of one's own": () => own(),
};

/** Moves the clock on. */
function pass(ms: number): void {
  const now = Date.now() + ms;
  vi.spyOn(Date, "now").mockReturnValue(now);
}

afterEach(() => void vi.restoreAllMocks());

const sorted = (texts: Iterable<string>): string[] => [...texts].sort();
const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => "nothing was refused", codeOf);

/** What is left of these keys when a store with this prefix has listed and cleared its own. */
async function around(
  store: Store,
  keys: string[],
  prefix: string,
): Promise<{ listed: string[]; left: string[] }> {
  await store.setMany(keys.map((key) => [key, key]));
  const part = store.prefix(prefix);
  const ways = [
    await part.values(),
    Object.values(await part.all()),
    (await part.entries()).map(([, value]) => value),
    (await part.list()).entries.map(({ value }) => value),
  ] as string[][];
  const listed = sorted(ways[0]!);
  for (const way of ways) expect(sorted(way)).toEqual(listed);
  await part.clear();
  return { listed, left: sorted(await store.keys()) };
}

describe.each(Object.entries(CLIENTS))("a store over %s", (_, open) => {
  it("does not take _ in a prefix for any character", async () => {
    expect(await around(kv(open().client), ["user_1", "userX1", "user-1"], "user_")).toEqual({
      listed: ["user_1"],
      left: ["user-1", "userX1"],
    });
  });

  it("does not take % in a prefix for any text", async () => {
    expect(await around(kv(open().client), ["%1", "a1", "a%1", "%a"], "%")).toEqual({
      listed: ["%1", "%a"],
      left: ["a%1", "a1"],
    });
  });

  it("does not take * or ? in a prefix for anything else", async () => {
    expect(await around(kv(open().client), ["*:1", "tenant:1", "?:1"], "*")).toEqual({
      listed: ["*:1"],
      left: ["?:1", "tenant:1"],
    });
    expect(await around(kv(open().client), ["?1", "a1", "*1"], "?")).toEqual({
      listed: ["?1"],
      left: ["*1", "a1"],
    });
  });

  it("lists and clears the keys below a prefix with brackets or a backslash", async () => {
    expect(await around(kv(open().client), ["[vip]:1", "v:1", "i:1"], "[vip]:")).toEqual({
      listed: ["[vip]:1"],
      left: ["i:1", "v:1"],
    });
    expect(await around(kv(open().client), ["a\\_1", "a_1", "a\\b"], "a\\")).toEqual({
      listed: ["a\\_1", "a\\b"],
      left: ["a_1"],
    });
  });

  it("does not clear USER: for user:", async () => {
    expect(await around(kv(open().client), ["user:1", "USER:admin", "User:1"], "user:")).toEqual({
      listed: ["user:1"],
      left: ["USER:admin", "User:1"],
    });
  });

  it("does not let two keys share a place because they look alike", async () => {
    const store = kv(open().client);
    const keys = ["a", "A", "é", "e\u0301", "ß", "SS", "ſ", "s", "K", "\u212a"];
    await store.setMany(keys.map((key) => [key, key]));
    expect(await store.all()).toEqual(Object.fromEntries(keys.map((key) => [key, key])));
    expect(await store.getMany(keys)).toEqual(keys);
  });

  it("does not keep an expired secret in the client once it was cleared", async () => {
    const { client, raw } = open();
    const store = kv(client);
    await store.prefix("session:").set("ann", "secret", { expires: 1 });
    await store.set("other", 1);
    expect(await raw()).toContain("secret");
    pass(1000);
    await store.prefix("session:").clear();
    expect(await raw()).not.toContain("secret");
    expect(await store.get("other")).toBe(1);
  });

  it.each([
    "get",
    "entry",
    "getMany",
    "entries",
    "keys",
    "values",
    "all",
    "iterate",
    "prune",
  ] as const)("does not keep an expired secret in the client after %s", async (way) => {
    const { client, raw } = open();
    const store = kv(client);
    await store.setMany([["ann", "secret"]], { expires: 1 });
    await store.set("other", 1);
    pass(1000);
    const ways = {
      get: () => store.get("ann"),
      entry: () => store.entry("ann"),
      getMany: () => store.getMany(["ann"]),
      entries: () => store.entries(),
      keys: () => store.keys(),
      values: () => store.values(),
      all: () => store.all(),
      prune: () => store.prune(),
      async iterate() {
        for await (const [key] of store) expect(key).toBe("other");
      },
    };
    await ways[way]();
    await eventually(() => raw()).not.toContain("secret");
  });

  it("removes expired secrets that no call reads, while other keys are written", async () => {
    const { client, raw } = open();
    const store = kv(client);
    await store.setMany(
      Array.from({ length: 50 }, (_, i) => [`old${i}`, "secret"] as const),
      { expires: 1 },
    );
    pass(1000);
    for (let i = 0; i < 12; i++)
      await store.setMany(Array.from({ length: 60 }, (_, n) => [`new${n}`, i] as const));
    expect(await raw()).not.toContain("secret");
  });

  it("does not report records as pruned that it left", async () => {
    const { client, raw } = open();
    const store = kv(client);
    await store.setMany(
      [
        ["a:1", "secret"],
        ["a:2", "secret"],
        ["b:1", "hidden"],
      ],
      { expires: 1 },
    );
    await store.set("a:3", 1);
    pass(1000);
    expect(await store.prefix("a:").prune()).toBe(2);
    expect(await raw()).not.toContain("secret");
    expect(await raw()).toContain("hidden");
    expect([await store.prune(), await store.prune(), await store.keys()]).toEqual([1, 0, ["a:3"]]);
  });

  it("does not delete another key when a deletion names a prefix", async () => {
    const store = kv(open().client);
    const part = store.prefix("a:");
    await store.setMany([
      ["k", 1],
      ["a:k", 2],
      ["b:k", 3],
      ["a:b:k", 4],
    ]);
    expect(await part.set("k", null, { prefix: "b:" })).toBe("k");
    expect(await part.set("k", 5, { prefix: "b:", expires: 0 })).toBe("k");
    expect(await store.all()).toEqual({ k: 1, "a:k": 2, "b:k": 3 });
  });

  it("does not write outside of the substore when a write names a prefix", async () => {
    const store = kv(open().client);
    const part = store.prefix("tenant1:");
    await part.set("k", 1, { prefix: "tenant2:" });
    await part.setMany([["l", 2]], { prefix: "tenant2:" });
    const key = await part.add(3, { prefix: "tenant2:" });
    await part.commit([], [{ key: "m", value: 4, prefix: "tenant2:" }]);
    expect(await store.prefix("tenant1:tenant2:").all()).toEqual({ k: 1, l: 2, [key]: 3, m: 4 });
    expect(await store.prefix("tenant2:").keys()).toEqual([]);
  });

  it("does not keep a record for ever whose deadline it cannot read", async () => {
    const { client, raw } = open();
    const store = kv(client);
    await store.set("k", "before");
    for (const expires of [
      "10 secnds",
      "1h30",
      "1M",
      "1mo",
      "-1s",
      "tomorrow 3d",
      "1,5h",
      "5length",
      "5name",
      "potato",
      "",
      NaN,
      Infinity,
    ] as Expires[]) {
      expect(await refusal(store.set("k", "secret", { expires })), String(expires)).toBe(
        "KV_INVALID_EXPIRES",
      );
      expect(await refusal(store.add("secret", { expires }))).toBe("KV_INVALID_EXPIRES");
      expect(await refusal(store.touch("k", expires))).toBe("KV_INVALID_EXPIRES");
    }
    expect(await raw()).not.toContain("secret");
    expect(await store.all()).toEqual({ k: "before" });
  });

  it("keeps a record for a fraction of a millisecond, and takes 10 as seconds", async () => {
    pass(0);
    const store = kv(open().client);
    for (const expires of ["0.4ms", 0.0001, "10", 0.1]) {
      await store.set("k", 1, { expires });
      expect([
        expires,
        await store.has("k"),
        (await store.entry("k"))!.expires! > Date.now(),
      ]).toEqual([expires, true, true]);
    }
  });

  it("does not lose or delete 0, false and the empty text", async () => {
    const store = kv(open().client);
    await store.setMany([
      ["zero", 0],
      ["false", false],
      ["empty", ""],
    ]);
    expect([
      await store.get("zero"),
      await store.get("false"),
      await store.get("empty"),
      await store.has("zero"),
      await store.has("false"),
      await store.has("empty"),
    ]).toEqual([0, false, "", true, true, true]);
    expect(await store.all()).toEqual({ zero: 0, false: false, empty: "" });
  });

  it("does not change with the object that was set, nor with the one that was read", async () => {
    const store = kv(open().client);
    const value = { list: [{ n: 1 }] };
    await store.set("k", value, { metadata: value });
    value.list[0]!.n = 2;
    const reads = async (): Promise<(typeof value)[]> => {
      const { value: found, metadata } = (await store.entry<typeof value>("k"))!;
      const pair = (await store.entries<typeof value>())[0]!;
      const iterated: (typeof value)[] = [];
      for await (const [, each] of store.iterate<typeof value>()) iterated.push(each);
      return [
        (await store.get<typeof value>("k"))!,
        found,
        metadata as typeof value,
        pair[1],
        (await store.values<typeof value>())[0]!,
        (await store.all<typeof value>())["k"]!,
        (await store.getMany<typeof value>(["k"]))[0]!,
        (await store.list<typeof value>()).entries[0]!.value,
        ...iterated,
      ];
    };
    for (const read of await reads()) read.list[0]!.n = 3;
    for (const read of await reads()) expect(read).toEqual({ list: [{ n: 1 }] });
  });

  it("refuses a Date, with its path, in every client", async () => {
    const store = kv(open().client);
    for (const [value, path] of [
      [{ user: { born: new Date() } }, "value.user.born"],
      [[1, new Map()], "value[1]"],
      [undefined, ""],
      [NaN, "value"],
    ] as const) {
      const error: unknown = await store.set("k", value as never).catch((error: unknown) => error);
      if (value === undefined) expect(error).toBe("k");
      else
        expect(error).toMatchObject({
          code: "KV_INVALID_VALUE",
          message: expect.stringMatching(`^${path.replace(/\W/g, "\\$&")} is `),
        });
    }
    expect(await store.entries()).toEqual([]);
  });

  it("does not answer add(null) with the key of nothing", async () => {
    const store = kv(open().client);
    for (const nothing of [null, undefined])
      expect(await refusal(store.add(nothing))).toBe("KV_INVALID_VALUE");
  });

  it("does not answer get() with inherited members, nor change prototypes", async () => {
    const store = kv(open().client);
    for (const key of ["toString", "constructor", "__proto__", "hasOwnProperty"]) {
      expect([key, await store.get(key), await store.has(key)]).toEqual([key, null, false]);
      await store.set(key, { polluted: key });
      expect(await store.get(key)).toEqual({ polluted: key });
    }
    expect(Object.keys(await store.all()).length).toBe(4);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  it("does not store half a character as another key", async () => {
    const store = kv(open().client);
    for (const key of ["\ud83d", "a\ude00", ""]) {
      expect(await refusal(store.set(key, 1))).toBe("KV_INVALID_KEY");
      expect(await refusal(store.get(key))).toBe("KV_INVALID_KEY");
    }
    expect(await store.keys()).toEqual([]);
  });

  it("does not need its methods to be called on it, and is not confused by an index", async () => {
    const { set, get, del, has, add, keys, clear, close } = kv(open().client);
    const names = ["a", "b", "c"];
    await Promise.all(names.map(set as (key: string) => Promise<string>));
    await Promise.all(names.map((name) => set(name, name)));
    expect(await Promise.all(names.map(get))).toEqual(names);
    expect(await Promise.all(names.map(has))).toEqual([true, true, true]);
    expect(await Promise.all(names.map(del))).toEqual(names);
    const added = await Promise.all(names.map(add as (value: string) => Promise<string>));
    expect(sorted(await keys())).toEqual(sorted(added));
    await clear();
    await close();
  });

  it("skips and repeats no key while seen keys are deleted and others are written", async () => {
    const store = kv(open().client);
    const keys = Array.from({ length: 700 }, (_, i) => `k${i}`);
    await store.setMany(keys.map((key) => [key, 1]));
    const seen: string[] = [];
    for await (const [key] of store.prefix("k")) {
      seen.push(`k${key}`);
      if (seen.length % 50 === 0) {
        await store.delMany(seen.slice(-50, -10));
        await store.set(`other${seen.length}`, 1);
      }
    }
    expect(sorted(seen)).toEqual(sorted(keys));
    expect((await store.prefix("k").keys()).length).toBe(140);
  });

  it("does not show a key at its deadline in one method and hide it in another", async () => {
    const store = kv(open().client);
    const ways: ((key: string) => Promise<unknown>)[] = [
      (key) => store.get(key),
      (key) => store.has(key),
      (key) => store.entry(key),
      (key) => store.getMany([key]),
      () => store.keys(),
      () => store.values(),
      () => store.entries(),
      () => store.all(),
      () => store.list(),
      () => store.iterate().next(),
    ];
    for (const [i, way] of ways.entries()) {
      const key = `k${i}`;
      pass(0);
      await store.set(key, 1, { expires: 1 });
      pass(999);
      expect(JSON.stringify(await way(key)), String(way)).toMatch(/k|1|true/);
      pass(1);
      // Each way is the first to look: none of them relies on another one to have removed the key.
      expect(JSON.stringify(await way(key)), String(way)).toMatch(
        /^(null|false|\[null\]|\[\]|\{\}|\{"entries":\[\],"cursor":null\}|\{"done":true\})$/,
      );
      await store.clear();
    }
  });

  it("does not leave a record in the client that expires at once", async () => {
    const { client, raw } = open();
    const store = kv(client);
    await store.set("other", 1);
    for (const expires of [0, -1, "0s", new Date(0)]) {
      await store.set("k", "before");
      await store.set("k", "secret", { expires });
      await store.setMany([["l", "secret"]], { expires });
      expect(await raw()).not.toMatch(/secret|before/);
    }
    await store.set("k", "secret");
    expect(await store.touch("k", 0)).toBe(true);
    expect(await raw()).not.toContain("secret");
  });
});

describe("a store over a client of one's own", () => {
  it("does not delete a thousand keys at a time", async () => {
    let [now, most] = [0, 0];
    const { client, data } = own();
    const store = kv({
      ...client,
      async del(key: string) {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now--;
        data.delete(key);
      },
    });
    for (let i = 0; i < 3; i++)
      await store.setMany(Array.from({ length: 1000 }, (_, n) => [`k${i * 1000 + n}`, n] as const));
    await store.clear();
    expect(data.size).toBe(0);
    expect(most).toBeLessThanOrEqual(500);
  });

  it("does not lose the options of add() when the client makes its own ids", async () => {
    const { client, data } = own({
      add: async (prefix, value, { expires }) => (
        data.set(`${prefix}id`, value),
        `id ${String(expires)}`
      ),
    });
    const store = kv(client).prefix("p:");
    expect(await store.add({ a: 1 })).toBe("id null");
    expect(await store.get("id")).toEqual({ a: 1 });
  });
});

/** Everything that a store can be asked for, reading and writing one key or all. */
const everything = (store: Store): { [name: string]: () => Promise<unknown> } => ({
  get: () => store.get("k"),
  set: () => store.set("k", 1),
  add: () => store.add(1),
  has: () => store.has("k"),
  del: () => store.del("k"),
  getMany: () => store.getMany(["k", "l"]),
  setMany: () =>
    store.setMany([
      ["k", 1],
      ["l", 2],
    ]),
  delMany: () => store.delMany(["k", "l"]),
  entry: () => store.entry("k"),
  touch: () => store.touch("k", 60),
  keys: () => store.keys(),
  values: () => store.values(),
  entries: () => store.entries(),
  all: () => store.all(),
  list: () => store.list(),
  iterate: () => store.iterate().next(),
  clear: () => store.clear(),
  prune: () => store.prune(),
  commit: () => store.commit([{ key: "k", version: null }], [{ key: "k", value: 1 }]),
});
const NAMES = Object.keys(everything(kv()));

/** Clients whose data is out of reach from some moment on. */
const OUTAGES: { readonly [name: string]: () => { client: Client; end(): unknown } } = {
  "a file that turned into a folder": () => {
    const path = join(place(), "data.json");
    return { client: pathToFileURL(path), end: () => (rmSync(path), mkdirSync(path)) };
  },
  "a folder that turned into a file": () => {
    const path = join(place(), "data");
    return {
      client: pathToFileURL(`${path}/`),
      end: () => (rmSync(path, { recursive: true }), writeFileSync(path, "")),
    };
  },
  "a Level database that was closed": () => {
    const db = new Level(join(place(), "db"));
    return { client: db, end: () => db.close() };
  },
  ...Object.fromEntries(
    Object.entries(DRIVERS).map(([name, open]) => [
      `a handle of ${name} that was closed`,
      () => {
        const db = open(":memory:");
        return { client: db, end: () => db.close() };
      },
    ]),
  ),
  "a client of one's own that throws": () => {
    const { client } = own();
    const fail = (): never => {
      throw new Error("out of reach");
    };
    return {
      client,
      end: () => Object.assign(client, { get: fail, set: fail, del: fail, iterate: fail }),
    };
  },
  "a client of one's own that rejects": () => {
    const { client } = own();
    const fail = (): Promise<never> => Promise.reject(new Error("out of reach"));
    return {
      client,
      end: () => Object.assign(client, { get: fail, set: fail, del: fail, iterate: fail }),
    };
  },
};

// Operations of several steps, which close() may come between.
const MAY_BE_LATE = [
  "add",
  "getMany",
  "touch",
  "keys",
  "values",
  "entries",
  "all",
  "iterate",
  "clear",
];

for (const [name, break_] of Object.entries(OUTAGES)) {
  describe(`a store over ${name}`, () => {
    for (const operation of NAMES) {
      it(`does not hang, and says KV_CONNECTION with the cause: ${operation}`, async () => {
        const { client, end } = break_();
        const store = kv(client);
        await store.set("k", 1);
        await end();
        await expect(everything(store)[operation]!()).rejects.toMatchObject({
          name: "KvError",
          code: "KV_CONNECTION",
          client: store.type,
          cause: expect.anything(),
        });
      });
    }
  });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("close()", () => {
  for (const operation of NAMES) {
    it(`completes or refuses earlier calls of the same turn: ${operation}`, async () => {
      const store = kv(new Map());
      await store.setMany([
        ["k", 1],
        ["l", 2],
      ]);
      const [result] = await Promise.all([refusal(everything(store)[operation]!()), store.close()]);
      expect(["nothing was refused", "KV_CLOSED"]).toContain(result);
      if (!MAY_BE_LATE.includes(operation)) expect(result).toBe("nothing was refused");
    });
  }

  it.each([["a Map"], ["a Level database"], ["node:sqlite"]])(
    "does not let an iteration go on over %s, or end it with another code than KV_CLOSED",
    async (name) => {
      const store = kv(CLIENTS[name]!().client as Client);
      await store.setMany(Array.from({ length: 1200 }, (_, i) => [`k${i}`, i] as const));
      const pairs = store.iterate();
      await pairs.next();
      await store.close();
      const rest = async (): Promise<void> => {
        while (!(await pairs.next()).done);
      };
      expect(await refusal(rest())).toBe("KV_CLOSED");
    },
  );
});

describe("a promise", () => {
  it("of a store does not lose its prefix: clearing a substore leaves the rest", async () => {
    const base = kv(new Map());
    await base.setMany([
      ["a:1", 1],
      ["b:1", 2],
    ]);
    const part = kv(Promise.resolve(base)).prefix("a:");
    // Refused or right: never all of it.
    expect(await part.clear().then(() => base.all(), codeOf)).toSatisfy(
      (found) => JSON.stringify(found) === '{"b:1":2}' || String(found).startsWith("KV_"),
    );
    expect(await base.get("b:1")).toBe(2);
  });

  it("that resolves to nothing does not mean memory", async () => {
    expect(await refusal(kv(Promise.resolve() as never).set("k", 1))).toBe("KV_UNKNOWN_CLIENT");
    expect(await refusal(kv(new MemoryLevel().open() as never).set("k", 1))).toBe(
      "KV_UNKNOWN_CLIENT",
    );
  });

  it("that settles late leaves no call waiting, and no client open", async () => {
    const close = vi.fn();
    const { client } = own({ close });
    let resolve!: (client: CustomClient) => void;
    let reject!: (error: Error) => void;
    const good = kv(new Promise<CustomClient>((settle) => (resolve = settle)));
    const bad = kv(new Promise((_, settle) => (reject = settle)));
    const ends = [good.set("k", 1), refusal(bad.set("k", 1))];
    const closing = [good.close(), bad.close()];
    ends.push(refusal(good.get("k")), refusal(bad.get("k")));
    await turn();
    resolve(client);
    reject(new Error("no"));
    await Promise.all(closing);
    expect(await Promise.all(ends)).toEqual(["k", "KV_CONNECTION", "KV_CLOSED", "KV_CLOSED"]);
    expect(close).toHaveBeenCalledOnce();
  });
});

describe("a client of one's own", () => {
  it("is not left with half of a commit when it fails in the middle", async () => {
    const { client, data } = own();
    const store = kv({
      ...client,
      set: (key: string, value: unknown) =>
        key === "b" ? Promise.reject(new Error("full")) : void data.set(key, value),
    });
    await store.set("a", "old");
    expect(
      await refusal(
        store.commit(
          [],
          [
            { key: "a", value: "new" },
            { key: "b", value: "new" },
          ],
        ),
      ),
    ).toBe("KV_CONNECTION");
    expect(await store.all()).toEqual({ a: "old" });
  });

  it("does not keep clear() busy for ever when it still lists deleted keys", async () => {
    const { client, data } = own();
    let passes = 0;
    const store = kv({
      ...client,
      del() {},
      iterate: () => {
        if (++passes > 100) throw new Error("still clearing");
        return [...data];
      },
    });
    await store.set("a", 1);
    await store.clear();
  });

  it("does not show its values in a message", async () => {
    const { client } = own({ get: () => JSON.parse("secret-token") });
    const error = (await kv(client)
      .get("a")
      .catch((error: unknown) => error)) as Error;
    expect(codeOf(error)).toBe("KV_CONNECTION");
    expect(error.message).not.toContain("secret");
  });

  it("with EXPIRES is not aliased by values()", async () => {
    const { client, data } = own({ EXPIRES: true, values: () => [...data.values()] });
    const store = kv(client);
    await store.set("a", { n: [1] });
    (await store.values<{ n: number[] }>())[0]!.n.push(2);
    expect(await store.get("a")).toEqual({ n: [1] });
  });

  it("with EXPIRES is not listed by writes: it frees expired records itself", async () => {
    const iterate = vi.fn(() => []);
    const { client } = own({ EXPIRES: true, iterate });
    const store = kv(client);
    for (let i = 0; i < 300; i++) await store.set(`k${i}`, i);
    expect(iterate).not.toHaveBeenCalled();
  });

  it("is not left with an open iterator between sweeps, or after close()", async () => {
    let open = 0;
    const { client, data } = own({
      *iterate() {
        open++;
        try {
          yield* data;
        } finally {
          open--;
        }
      },
    });
    const store = kv(client);
    for (let i = 0; i < 300; i++) await store.set(`k${i}`, i);
    await store.close();
    expect(open).toBe(0);
  });

  it("with entries() does not keep an expired secret that entries() found", async () => {
    const { client, data, raw } = own({ entries: () => [...data] });
    const store = kv(client);
    await store.set("a", "secret", { expires: 1 });
    pass(1000);
    expect(await store.entries()).toEqual([]);
    expect(await raw()).not.toContain("secret");
  });

  it("is not given a value to keep for 0 seconds, which many take for ever", async () => {
    const set = vi.fn(async () => turn());
    const store = kv(own({ EXPIRES: true, set }).client);
    pass(0);
    const writes = [store.set("a", 1), store.set("a", 2, { expires: 0.001 })];
    pass(1);
    await Promise.all(writes);
    for (const [, value, options] of set.mock.calls as unknown as [
      string,
      unknown,
      { expires: number | null },
    ][])
      expect([value, options.expires]).not.toEqual([2, 0]);
  });

  it("with keys() does not show keys of another prefix, cut", async () => {
    const { client, data } = own({ EXPIRES: true, keys: () => [...data.keys()] });
    const store = kv(client);
    await store.setMany([
      ["tenant1:a", 1],
      ["tenant22:secret", 2],
    ]);
    expect(await store.prefix("tenant1:").keys()).toEqual(["a"]);
  });

  it("that has a member of null for an optional method is used without it", async () => {
    const store = kv({
      ...own().client,
      del: null,
      clear: null,
      close: null,
      entries: null,
    } as never);
    await store.set("a", 1);
    await store.del("a");
    await store.clear();
    expect(await store.entries()).toEqual([]);
    await store.close();
  });

  it("may hold keys that are no strings: they are foreign", async () => {
    const { client, data } = own();
    const store = kv({ ...client, iterate: () => [...data] });
    await store.set("a", 1);
    (data as Map<unknown, unknown>).set(5, "theirs");
    expect(await store.keys()).toEqual(["a"]);
  });

  it("is not asked for thousands of writes or reads at once", async () => {
    let [now, most] = [0, 0];
    const late = async (): Promise<void> => {
      most = Math.max(most, ++now);
      await turn();
      now--;
    };
    const store = kv(own({ get: late, set: late, del: late }).client);
    const keys = Array.from({ length: 3000 }, (_, i) => `k${i}`);
    await store.setMany(keys.map((key) => [key, 1]));
    await store.getMany(keys);
    await store.delMany(keys);
    expect(most).toBeLessThanOrEqual(500);
  });
});

describe("more faults of clients", () => {
  it("many writers at once do not sweep a client many times at once", async () => {
    let [passes, now, most] = [0, 0, 0];
    const { client, data } = own({
      async *iterate() {
        passes++;
        most = Math.max(most, ++now);
        await turn();
        yield* [...data];
        now--;
      },
    });
    const store = kv(client);
    await store.set("a", 1);
    await Promise.all(Array.from({ length: 1280 }, (_, i) => store.set(`k${i}`, i)));
    expect(passes).toBeGreaterThan(0);
    expect(most).toBe(1);
  });

  it("the message for NaN does not say that null is refused", async () => {
    const error = (await kv()
      .set("a", 1, { expires: NaN })
      .catch((error: unknown) => error)) as Error;
    expect(error.message).toContain("expires cannot be NaN");
  });

  it("a refusal names the whole key, with the prefix that came as an option", async () => {
    await expect(kv().prefix("p:").set("k", NaN, { prefix: "x:" })).rejects.toMatchObject({
      key: "p:x:k",
    });
  });

  it("the same values count as EXPIRES in supports and in behaviour", async () => {
    const { client, data } = own({ EXPIRES: 1 as never });
    const store = kv(client);
    await store.set("a", 1);
    expect(data.get("a")).toEqual(
      store.supports.expires === "native" ? 1 : expect.objectContaining({ kv: 1 }),
    );
  });

  it("a bare duration instead of options of setMany() or add() is refused", async () => {
    const store = kv();
    for (const options of ["1h", new Date()])
      expect([
        await refusal(store.setMany([["a", 1]], options as never)),
        await refusal(store.add(1, options as never)),
      ]).toEqual(["KV_INVALID_EXPIRES", "KV_INVALID_EXPIRES"]);
  });
});

describe("arguments", () => {
  it.each<[string, (store: Store) => unknown]>([
    ["setMany(undefined)", (store) => store.setMany(undefined as never)],
    ["setMany([null])", (store) => store.setMany([null] as never)],
    ["getMany(undefined)", (store) => store.getMany(undefined as never)],
    ["delMany(undefined)", (store) => store.delMany(undefined as never)],
    [
      "commit(undefined, undefined)",
      (store) => store.commit(undefined as never, undefined as never),
    ],
    ["commit([], [null])", (store) => store.commit([], [null] as never)],
    ["list(null)", (store) => store.list(null as never)],
  ])("that cannot be meant are refused with an error of ours: %s", async (_, call) => {
    await expect(call(kv())).rejects.toMatchObject({ name: "KvError", client: "MEMORY" });
  });

  it("that cannot even be shown are refused like any other", async () => {
    expect(await refusal(kv().set("a", 1, { expires: Object.create(null) as never }))).toBe(
      "KV_INVALID_EXPIRES",
    );
    expect(() => kv(new Map(), { expires: Object.create(null) as never })).toThrow(
      expect.objectContaining({ code: "KV_INVALID_EXPIRES" }),
    );
  });

  it("whose members throw are invalid values, not failures of the client", async () => {
    const value = {
      get a(): number {
        throw new Error("secret");
      },
    };
    const error = (await kv()
      .set("k", value)
      .catch((error: unknown) => error)) as Error;
    expect(error).toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(error.message).not.toContain("secret");
  });

  it("that are refused are named by their key", async () => {
    await expect(kv().set("user", new Date() as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      key: "user",
    });
    await expect(
      kv().setMany([
        ["a", 1],
        ["user", new Date() as never],
      ]),
    ).rejects.toMatchObject({ key: "user" });
    await expect(kv().set("user", 1, { expires: "soon" as string })).rejects.toMatchObject({
      code: "KV_INVALID_EXPIRES",
      key: "user",
    });
  });

  it("are kept without the members that a program added to Object.prototype", async () => {
    const prototype = Object.prototype as { extend?: unknown };
    const store = kv();
    try {
      prototype.extend = () => {};
      expect(await refusal(store.set("a", { b: 1 }))).toBe("nothing was refused");
    } finally {
      delete prototype.extend;
    }
    expect(await store.get("a")).toEqual({ b: 1 });
  });

  it("of 200,000 characters are keys like others where the client takes them", async () => {
    const store = kv();
    const key = "k".repeat(200_000);
    await store.setMany([
      [key, 1],
      [`${key}2`, 2],
    ]);
    const { entries, cursor } = await store.list({ limit: 1 });
    expect([entries[0]?.value, (await store.list({ cursor })).entries[0]?.value]).toEqual([1, 2]);
  });

  it("do not turn into null behind a codec that returns nothing", async () => {
    const store = kv<number>(new Map(), {
      codec: { encode: () => undefined as never, decode: () => 1 },
    });
    expect(await refusal(store.set("a", 1))).toBe("KV_INVALID_VALUE");
  });

  it("do not make a cursor pass from a store to its substore", async () => {
    const store = kv();
    await store.setMany([
      ["a:1", 1],
      ["a:2", 2],
      ["b", 3],
    ]);
    const { cursor } = await store.list({ limit: 1 });
    expect(await refusal(store.prefix("a:").list({ cursor }))).toBe("KV_INVALID_CURSOR");
    const inside = await store.prefix("a:").list({ limit: 1 });
    expect(await refusal(store.list({ cursor: inside.cursor }))).toBe("KV_INVALID_CURSOR");
  });

  it("of another realm come back as objects of this one, as from every other client", async () => {
    const store = kv();
    await store.set("a", runInNewContext("({ list: [1, [2]] })") as { list: [number, number[]] });
    const { list } = (await store.get<{ list: [number, number[]] }>("a"))!;
    for (const array of [list, list[1]]) expect(Object.getPrototypeOf(array)).toBe(Array.prototype);
  });

  it("do not copy themselves: an array with its own slice() is copied like others", async () => {
    const store = kv();
    const list = [1];
    await store.set("a", Object.assign(list, { slice: () => list }));
    list.push(2);
    expect(await store.get("a")).toEqual([1]);
    expect(
      await refusal(store.set("b", Object.assign([new Date()], { slice: () => [] }) as never)),
    ).toBe("KV_INVALID_VALUE");
  });

  it("may be a Date of another realm", async () => {
    const moment = runInNewContext("new Date(8640000000000)") as Date;
    expect(await kv().set("a", 1, { expires: moment })).toBe("a");
  });
});

it("two stores over one Map free the expired records of each other", async () => {
  const map = new Map();
  const [one, other] = [kv(map), kv(map)];
  for (let i = 0; i < 600; i++) await one.set(`w${i % 5}`, i);
  await other.setMany([["secret", 1]], { expires: 1 });
  pass(1000);
  for (let i = 0; i < 2000; i++) await one.set(`w${i % 5}`, i);
  expect(map.has("secret")).toBe(false);
});
