import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Store } from "../../src/api.ts";
import type { Source } from "../../src/clients/define.ts";
import { memory } from "../../src/clients/memory.ts";
import kv, { KvError } from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import { bitset, StaticStore } from "../../src/schema/index.ts";
import { versioned } from "../../src/versioned/index.ts";

/** A call, and what it resolves to in a form that does not depend on versions. */
type Call<Api> = (api: Api, value: string) => Promise<unknown>;

/** An API over a store: some calls, and what there is for all calls to meet. */
interface Subject<Api> {
  readonly open: (store: Store) => Api;
  readonly fill: (api: Api) => Promise<unknown>;
  readonly calls: { readonly [name: string]: Call<Api> };
}

async function valuesOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of list) found.push(item);
  return found;
}

const ok = ({ ok }: { ok: boolean }): boolean => ok;
const users = { prefix: ["users"] };

const VERSIONED: Subject<ReturnType<typeof versioned>> = {
  open: (store) => versioned(store, { indexes: { mail: { ...users, of: (mail) => mail as string, unique: true }, size: { ...users, of: (mail) => (mail as string).length } } }),
  fill: async (entries) => {
    await entries.set(["a"], "old");
    await entries.set(["n"], 1n);
    await entries.set(["users", "1"], "ann");
  },
  calls: {
    set: async (entries, value) => (await entries.set(["a"], value)).value,
    delete: (entries) => entries.delete(["a"]),
    get: async (entries) => (await entries.get(["a"])).value,
    getMany: async (entries) => (await entries.getMany([["a"], ["b"]])).map(({ value }) => value),
    list: async (entries) => (await valuesOf(entries.list({ prefix: [] }))).map(({ key, value }) => [key, value]),
    reversed: async (entries) => (await valuesOf(entries.list({ start: ["a"], end: ["c"] }, { reverse: true }))).map(({ value }) => value),
    commit: async (entries, value) => ok(await entries.atomic().set(["a"], value).set(["b"], value).commit()),
    create: async (entries, value) => ok(await entries.atomic().check({ key: ["a"], version: null }).set(["a"], value).commit()),
    deleteTwo: async (entries) => ok(await entries.atomic().delete(["a"]).delete(["b"]).commit()),
    sum: async (entries) => ok(await entries.atomic().sum(["n"], 1n).commit()),
    max: async (entries) => ok(await entries.atomic().max(["n"], 5n).set(["a"], "max").commit()),
    count: async (entries) => (await entries.get(["n"])).value,
    setUser: async (entries, value) => (await entries.set(["users", "1"], value)).value,
    rename: async (entries) => (await entries.set(["users", "1"], "bob")).value,
    deleteUser: (entries) => entries.delete(["users", "1"]),
    getUser: async (entries) => (await entries.get(["users", "1"])).value,
    setOther: async (entries) => (await entries.set(["users", "2"], "ann")).value,
    setThird: async (entries) => (await entries.set(["users", "3"], "bob")).value,
  },
};

/** Calls that read by an index see every earlier write. They may see later ones, too. */
const INDEX_READS: Subject<ReturnType<typeof versioned>>["calls"] = {
  getBy: async (entries) => (await entries.getBy("mail", "ann"))?.key ?? null,
  getByNew: async (entries) => (await entries.getBy("mail", "bob"))?.key ?? null,
  listBy: async (entries) => (await valuesOf(entries.listBy("size", 3))).map(({ key, value }) => [key, value]),
};

const NAMESPACE: Subject<ReturnType<typeof namespace>> = {
  open: (store) => namespace(store, "words"),
  fill: (words) => words.put("a", "old", { metadata: "old" }),
  calls: {
    put: (words, value) => words.put("a", value, { metadata: value }),
    putBytes: (words) => words.put("a", new Uint8Array([1, 2])),
    putOther: (words, value) => words.put("b", value),
    delete: (words) => words.delete("a"),
    get: (words) => words.get("a"),
    getMany: async (words) => [...(await words.get(["a", "b"]))],
    getWithMetadata: async (words) => words.getWithMetadata("a"),
    list: async (words) => (await words.list()).keys,
    listPrefix: async (words) => (await words.list({ prefix: "a", limit: 1 })).keys,
  },
};

const schema = { text: "string", number: "number", flag: "boolean", set: "set", list: "list", hash: "hash", sorted: "sorted", bits: bitset(8), json: z.object({ name: z.string() }) } as const;
const openTyped = (store: Store) => StaticStore("app", schema, { store });

const SCHEMA: Subject<ReturnType<typeof openTyped>> = {
  open: openTyped,
  fill: async (app) => {
    await app.take("text").write("old");
    await app.take("number").write(1);
    await app.take("list").write(["x"]);
    await app.take("set").write(["x"]);
    await app.take("json").write({ name: "old" });
  },
  calls: {
    write: (app, value) => app.take("text").write(value),
    read: (app) => app.take("text").read(),
    erase: (app) => app.take("text").erase(),
    exists: (app) => app.take("text").exists(),
    touch: (app) => app.take("text").touch("1h"),
    expire: (app) => app.take("text").touch(0),
    writeNumber: (app) => app.take("number").write(10),
    increment: (app) => app.take("number").increment(),
    readNumber: (app) => app.take("number").read(),
    push: (app, value) => app.take("list").push(value),
    shift: (app) => app.take("list").shift(),
    writeList: (app, value) => app.take("list").write([value, value]),
    readList: (app) => app.take("list").read(),
    touchList: (app) => app.take("list").touch("1h"),
    add: (app, value) => app.take("set").add(value),
    members: async (app) => [...((await app.take("set").read()) ?? [])].sort(),
    intersect: async (app) => [...(await app.take("set").intersect(app.take("set")))].sort(),
    writeJson: (app, value) => app.take("json").write({ name: value }),
    updateJson: (app) => app.take("json").update(({ name }) => ({ name: `${name}!` })),
    readJson: (app) => app.take("json").read(),
    eraseJson: (app) => app.take("json").erase(),
    keys: async (app) => (await app.keys()).sort(),
    entries: async (app) => (await app.entries()).filter(([key]) => key === "text" || key === "number" || key === "json"),
    eraseAll: (app) => app.erase(),
  },
};

/** Pauses of up to two milliseconds, the same ones in each run. */
function pauses(seed: number): () => Promise<void> {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const ms = (state >>> 16) % 3;
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
  };
}

/** A custom client whose calls take their time, each another one. */
function slowClient(seed: number): object {
  const data = new Map<string, unknown>();
  const pause = pauses(seed);
  return {
    get: (key: string) => pause().then(() => data.get(key)),
    set: (key: string, value: unknown) => pause().then(() => void data.set(key, value)),
    del: (key: string) => pause().then(() => void data.delete(key)),
    async *iterate(prefix: string) {
      await pause();
      for (const [key, value] of [...data]) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

let seeds = 1;
const CLIENTS: readonly (readonly [name: string, make: () => unknown])[] = [
  ["memory", () => new Map()],
  ["SQLite", () => new DatabaseSync(":memory:")],
  ["a slow custom client", () => slowClient(seeds++)],
];

/** How a store comes to its calls: open already, or opened by them. */
type State = readonly [name: string, wrap: (client: unknown) => unknown, isWarm: boolean];
const STATES: readonly State[] = [
  ["open", (client) => client, true],
  ["opened by the calls", (client) => client, false],
  ["a promise", async (client) => client, false],
];

/** Makes calls on an API, one after the other or without awaiting any. Resolves to their results and what is stored then. */
async function seen<Api>({ open, fill, calls }: Subject<Api>, names: readonly string[], client: unknown, [, wrap, isWarm]: State, isAwaited: boolean): Promise<unknown> {
  const filling = open(kv(client as never));
  await fill(filling);
  const api = isWarm ? filling : open(kv(wrap(client) as never));
  const works = names.map((name, i) => () => calls[name]!(api, `${name} ${i}`).catch(({ code }: KvError) => code));
  const results: unknown[] = [];
  if (isAwaited) for (const work of works) results.push(await work());
  else results.push(...(await Promise.all(works.map((work) => work()))));
  return { results, stored: await kv(client as never).all() };
}

// By client, since not all of them keep bytes as they are.
const oracles = new Map<() => unknown, Map<string, Promise<unknown>>>();

/** Pairs of calls whose results differ from those of calls one after the other. */
async function differing<Api>(title: string, subject: Subject<Api>, firsts: readonly string[], seconds: readonly string[], make: () => unknown, state: State): Promise<string[]> {
  const known = oracles.get(make) ?? new Map<string, Promise<unknown>>();
  oracles.set(make, known);
  const pairs = firsts.flatMap((one) => seconds.map((other) => [one, other])).filter((names) => !MAY_OVERTAKE.test(names.join(", ")));
  const same = await Promise.all(
    pairs.map(async (names) => {
      const id = [title, ...names].join();
      const oracle = known.get(id) ?? seen(subject, names, make(), STATES[0]!, true);
      known.set(id, oracle);
      return isDeepStrictEqual(await seen(subject, names, make(), state, false), await oracle);
    }),
  );
  return pairs.filter((_, i) => !same[i]).map((names) => names.join(", "));
}

/** A slow client with short keys and without commits, as some services are. */
function poorClient(seed: number): Source {
  const pause = pauses(seed);
  const source = memory(new Map());
  return {
    ...source,
    supports: { ...source.supports, keyBytes: 200, atomic: "no" },
    async open() {
      const { get, set, del, iterate } = await source.open();
      return {
        get: (key) => pause().then(() => get(key)),
        set: (key, record) => pause().then(() => set(key, record)),
        del: (key) => pause().then(() => del(key)),
        iterate: iterate!,
      };
    },
  };
}

const LONG = "a".repeat(300);
const LONG_NAMES: typeof NAMESPACE = {
  ...NAMESPACE,
  fill: (words) => words.put(LONG, "old"),
  calls: {
    put: (words, value) => words.put(LONG, value, { metadata: value }),
    putShort: (words, value) => words.put("b", value),
    delete: (words) => words.delete(LONG),
    get: (words) => words.get(LONG),
    getMany: async (words) => [...(await words.get(["b", LONG]))],
    list: async (words) => (await words.list()).keys,
  },
};

it.each(STATES)("calls on a namespace with shortened names, without commits: %s", async (...state) => {
  const names = Object.keys(LONG_NAMES.calls);
  expect(await differing("long names", LONG_NAMES, names, names, () => poorClient(seeds++), state)).toEqual([]);
});

/** A unique index rejects the first call for an entry that the second one frees: the second may come before that. */
const MAY_OVERTAKE = /^setOther, (setUser|rename|deleteUser)$/;

describe.each(CLIENTS)("calls on %s that are not awaited take effect in call order", (_client, make) => {
  describe.each(STATES)("%s", (...state) => {
    const check = <Api>(title: string, subject: Subject<Api>, firsts = Object.keys(subject.calls), seconds = firsts): void =>
      it(title, async () => expect(await differing(title, subject, firsts, seconds, make, state)).toEqual([]));
    check("versioned", VERSIONED);
    check("versioned, by an index", { ...VERSIONED, calls: { ...VERSIONED.calls, ...INDEX_READS } }, Object.keys(VERSIONED.calls), Object.keys(INDEX_READS));
    check("namespaces", NAMESPACE);
    check("typed stores", SCHEMA);
  });
});

describe("the call order", () => {
  it("holds across APIs and stores over one client", async () => {
    for (const [, make] of CLIENTS) {
      const client = make() as never;
      const [store, same] = [kv(client), kv(client)];
      const [entries, words, app] = [VERSIONED.open(store), NAMESPACE.open(same), openTyped(store)];
      const writes = (): Promise<unknown>[] => [entries.set(["a"], 1), entries.delete(["b"]), words.put("a", "v"), app.take("text").write("v"), app.take("list").push("v")];
      await Promise.all([...writes(), same.clear()]);
      expect(await store.keys()).toEqual([]);
      const [, keys] = await Promise.all([Promise.all(writes()), same.keys()]);
      expect(keys.sort()).toEqual(["a", "app:list", "app:text", "words/k/a", "words/v/a"]);
      await Promise.all([same.clear(), ...writes()]);
      expect((await store.keys()).length).toBe(5);
      expect((await Promise.all([entries.set(["a"], "new"), store.get("a")]))[1]).toBe("new");
    }
  });

  it("holds for validation that takes its time", async () => {
    const pause = z.string().refine(async (name) => (name === "slow" ? new Promise((resolve) => setTimeout(() => resolve(true), 5)) : true));
    const field = StaticStore("app", { name: pause }, { store: kv(new Map()) }).take("name");
    const [, , read] = await Promise.all([field.write("slow"), field.write("fast"), field.read()]);
    expect([read, await field.read()]).toEqual(["fast", "fast"]);
  });

  it("takes a value as it was when the call was made", async () => {
    const field = StaticStore("app", { json: z.object({ name: z.string() }) }, { store: kv(slowClient(1) as never) }).take("json");
    const value = { name: "first" };
    const writes = [field.write({ name: "before" }), field.write(value)];
    value.name = "changed later";
    await Promise.all(writes);
    expect(await field.read()).toEqual({ name: "first" });
  });

  it("lets an update that takes its time use its own field", async () => {
    const field = StaticStore("app", { json: z.object({ count: z.number() }) }, { store: kv(slowClient(1) as never) }).take("json");
    await field.write({ count: 1 });
    let isFirst = true;
    const update = field.update(async ({ count }) => {
      // A write in between: the update begins again.
      if (isFirst) await field.write({ count: count + 10 });
      isFirst = false;
      return { count: ((await field.read())?.count ?? 0) + 1 };
    });
    expect(await update).toEqual({ count: 12 });
    expect(await field.read()).toEqual({ count: 12 });
  });

  it("does not wait for a stream, which takes its place when it has ended", async () => {
    const words = namespace(kv(slowClient(1) as never), "words");
    let end = (): void => {};
    const slow = words.put("a", new ReadableStream({ start: (controller) => void (end = () => (controller.enqueue(new TextEncoder().encode("stream")), controller.close())) }));
    await words.put("a", "text");
    expect(await words.get("a")).toBe("text");
    end();
    await slow;
    expect(await words.get("a")).toBe("stream");
  });

  it("is kept when calls fail", async () => {
    for (const [, make] of CLIENTS) {
      const store = kv(make() as never);
      const entries = versioned(store, { indexes: { size: { prefix: ["a"], of: (value) => (value as string).length } } });
      const field = StaticStore("app", { json: z.object({ name: z.string() }) }, { store }).take("json");
      const words = namespace(store, "words");
      const fails = (work: Promise<unknown>): Promise<unknown> => work.then(() => "done", ({ code }: KvError) => code);
      const outcomes = await Promise.all([
        ...[entries.set(["a", 1], null), entries.atomic().sum(["n"], 1n).set(["a", 1], null).commit(), entries.set(["a", 1], "text"), entries.delete(["a", 1])].map(fails),
        ...[field.write({ name: 5 as never }), field.update(() => { throw new KvError("KV_QUOTA", "no"); }), field.write({ name: "ann" }), field.update(() => ({ name: 5 as never }))].map(fails),
        ...[words.put("a", { a: 1n }), words.put("a", "v"), words.get("a", "json"), words.delete("a")].map(fails),
      ]);
      expect(outcomes).toEqual(["KV_INVALID_VALUE", "KV_INVALID_VALUE", "done", "done", "KV_VALIDATION", "done", "done", "KV_VALIDATION", "KV_INVALID_VALUE", "done", "KV_INVALID_VALUE", "done"]);
      expect([await store.keys(), await field.read()]).toEqual([["app:json"], { name: "ann" }]);
    }
  });
});
