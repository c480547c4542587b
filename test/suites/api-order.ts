import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { Store } from "../../src/api.ts";
import kv, { type KvError } from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import {
  type FieldType,
  type StandardSchema,
  StaticStore,
  type StaticStore as StaticStoreOf,
} from "../../src/schema/index.ts";
import { versioned } from "../../src/versioned/index.ts";

/** A call, and what it resolves to in a form that does not depend on versions. */
type Call<Api> = (api: Api, value: string) => Promise<unknown>;

/** An API over a store: some calls, and what there is for all calls to meet. */
export interface Subject<Api> {
  readonly open: (store: Store) => Api;
  readonly fill: (api: Api) => Promise<unknown>;
  readonly calls: { readonly [name: string]: Call<Api> };
  /** What is stored, as the API shows it. Default: the values of all keys of the store. */
  readonly stored?: (api: Api) => Promise<unknown>;
}

async function valuesOf<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of list) found.push(item);
  return found;
}

const ok = ({ ok }: { ok: boolean }): boolean => ok;
const users = { prefix: ["users"] };

export const VERSIONED: Subject<ReturnType<typeof versioned>> = {
  open: (store) =>
    versioned(store, {
      indexes: {
        mail: { ...users, of: (mail) => mail as string, unique: true },
        size: { ...users, of: (mail) => (mail as string).length },
      },
    }),
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
    list: async (entries) =>
      (await valuesOf(entries.list({ prefix: [] }))).map(({ key, value }) => [key, value]),
    commit: async (entries, value) =>
      ok(await entries.atomic().set(["a"], value).set(["b"], value).commit()),
    create: async (entries, value) =>
      ok(
        await entries
          .atomic()
          .check({ key: ["a"], version: null })
          .set(["a"], value)
          .commit(),
      ),
    deleteTwo: async (entries) => ok(await entries.atomic().delete(["a"]).delete(["b"]).commit()),
    sum: async (entries) => ok(await entries.atomic().sum(["n"], 1n).commit()),
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
export const INDEX_READS: Subject<ReturnType<typeof versioned>>["calls"] = {
  getBy: async (entries) => (await entries.getBy("mail", "ann"))?.key ?? null,
  getByNew: async (entries) => (await entries.getBy("mail", "bob"))?.key ?? null,
  listBy: async (entries) =>
    (await valuesOf(entries.listBy("size", 3))).map(({ key, value }) => [key, value]),
};

export const NAMESPACE: Subject<ReturnType<typeof namespace>> = {
  open: (store) => namespace(store, "words"),
  fill: (words) => words.put("a", "old", { metadata: "old" }),
  calls: {
    put: (words, value) => words.put("a", value, { metadata: value }),
    putOther: (words, value) => words.put("b", value),
    delete: (words) => words.delete("a"),
    get: (words) => words.get("a"),
    getMany: async (words) => [...(await words.get(["a", "b"]))],
    getWithMetadata: async (words) => words.getWithMetadata("a"),
    list: async (words) => (await words.list()).keys,
    listPrefix: async (words) => (await words.list({ prefix: "a", limit: 1 })).keys,
  },
};

interface Schema {
  readonly [key: string]: FieldType;
  readonly text: "string";
  readonly number: "number";
  readonly list: "list";
  readonly set: "set";
  readonly json: StandardSchema<{ name: string }, { name: string }>;
}
const schema: Schema = {
  text: "string",
  number: "number",
  list: "list",
  set: "set",
  json: z.object({ name: z.string() }),
};
type App = StaticStoreOf<Schema>;
export const openTyped = (store: Store): App => StaticStore("app", schema, { store });

export const SCHEMA: Subject<App> = {
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
    expire: (app) => app.take("text").touch(0),
    writeNumber: (app) => app.take("number").write(10),
    increment: (app) => app.take("number").increment(),
    readNumber: (app) => app.take("number").read(),
    push: (app, value) => app.take("list").push(value),
    shift: (app) => app.take("list").shift(),
    readList: (app) => app.take("list").read(),
    add: (app, value) => app.take("set").add(value),
    intersect: async (app) => [...(await app.take("set").intersect(app.take("set")))].sort(),
    writeJson: (app, value) => app.take("json").write({ name: value }),
    updateJson: (app) => app.take("json").update(({ name }) => ({ name: `${name}!` })),
    readJson: (app) => app.take("json").read(),
    keys: async (app) => (await app.keys()).sort(),
    entries: async (app) =>
      (await app.entries())
        .filter(([key]) => key === "text" || key === "number" || key === "json")
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    eraseAll: (app) => app.erase(),
  },
  // Redis keeps numbers, lists and sets in its own types.
  stored: async (app) => ({
    text: await app.take("text").read(),
    number: await app.take("number").read(),
    list: await app.take("list").read(),
    set: [...((await app.take("set").read()) ?? [])].sort(),
    json: await app.take("json").read(),
  }),
};

/**
 * A unique index rejects the first call for an entry that the second one frees: the second may come
 * before that.
 */
const MAY_OVERTAKE = /^setOther, (setUser|rename|deleteUser)$/;

export type State = readonly [name: string, wrap: (client: unknown) => unknown, isWarm: boolean];
export const STATES: readonly State[] = [
  ["open", (client) => client, true],
  ["a promise of the client", async (client) => client, false],
];

/**
 * Makes calls on an API, one after the other or without awaiting any. Resolves to their results and
 * what is stored then.
 */
async function seen<Api>(
  { open, fill, calls, stored }: Subject<Api>,
  names: readonly string[],
  client: unknown,
  [, wrap, isWarm]: State,
  isAwaited: boolean,
): Promise<unknown> {
  const filling = open(kv(client as never));
  await fill(filling);
  const api = isWarm ? filling : open(kv(wrap(client) as never));
  const works = names.map(
    (name, i) => () => calls[name]!(api, `${name} ${i}`).catch(({ code }: KvError) => code),
  );
  const results: unknown[] = [];
  if (isAwaited) for (const work of works) results.push(await work());
  else results.push(...(await Promise.all(works.map((work) => work()))));
  return { results, stored: await (stored?.(api) ?? kv(client as never).all()) };
}

/**
 * How many pairs are tried at the same time. A server that is asked too much at once lets listings
 * take too long.
 */
const AT_ONCE = 10;

// The same on every client.
const oracles = new Map<string, Promise<unknown>>();

/** Pairs of calls whose results differ from those of calls one after the other. */
export async function differing<Api>(
  title: string,
  subject: Subject<Api>,
  firsts: readonly string[],
  seconds: readonly string[],
  make: () => unknown,
  state: State,
  reference: () => unknown = () => new Map(),
): Promise<string[]> {
  const pairs = firsts
    .flatMap((one) => seconds.map((other) => [one, other]))
    .filter((names) => !MAY_OVERTAKE.test(names.join(", ")));
  const isSame = async (names: readonly string[]): Promise<boolean> => {
    const id = [title, ...names].join();
    const oracle = oracles.get(id) ?? seen(subject, names, reference(), STATES[0]!, true);
    oracles.set(id, oracle);
    return isDeepStrictEqual(await seen(subject, names, make(), state, false), await oracle);
  };
  const found: string[] = [];
  for (let i = 0; i < pairs.length; i += AT_ONCE) {
    const some = pairs.slice(i, i + AT_ONCE);
    const same = await Promise.all(some.map(isSame));
    found.push(...some.filter((_, j) => !same[j]).map((names) => names.join(", ")));
  }
  return found;
}
