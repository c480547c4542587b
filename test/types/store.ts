// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import kv, {
  type Codec,
  type CustomClient,
  type Entry,
  type Json,
  KvError,
  isKvError,
  type Store,
} from "anykv";
import { jsonCodec } from "anykv/codec";

interface User {
  name: string;
  age?: number;
  tags: readonly string[];
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

declare const user: User;
declare const date: Date;
declare const json: Json;

export async function untyped(): Promise<void> {
  const store = kv(new Map());
  same<typeof store, Store<Json>>();

  // Anything that JSON keeps, interfaces included.
  await store.set("a", user);
  await store.set("a", { list: [1, "x", null, { b: true }] });
  await store.set("a", ["x"] as const);
  await store.set("a", null);
  await store.set("a", undefined);
  await store.set("a", { optional: undefined });
  await store.set("a", json);
  await store.add(user, { expires: "1h", metadata: { any: "thing" }, prefix: "p:" });
  await store.setMany([
    ["a", 1],
    ["b", "x"],
    ["c", null],
  ]);
  await store.setMany(["a", "b"].map((key, i) => [key, { i }]));
  await store.setMany(Object.entries({ a: 1 }));
  await store.setMany([
    ["a", 1, { expires: "1h" }],
    ["b", "x", { metadata: { by: "ann" }, expires: undefined }],
    ["c", 1],
  ]);
  await store.setMany(["a"].map((key) => [key, 1, { expires: 60 }]));
  // @ts-expect-error no such option of an entry
  await store.setMany([["a", 1, { ttl: 60 }]]);
  // @ts-expect-error a duration is no options
  await store.setMany([["a", 1, "1h"]]);
  await store.setMany(new Map([["a", user]]), { expires: null });

  const ofAny = async (any: Store<unknown>): Promise<User | null> =>
    any.get<User>(await any.set("a", user));
  await ofAny(store);
  await ofAny(kv<User>(new Map()));
  // What takes every store takes a `Store`.
  await (async (any: Store) => any.keys())(kv<User>(new Map()));

  // @ts-expect-error a Date is no JSON
  await store.set("a", date);
  // @ts-expect-error not inside either
  await store.set("a", { born: date });
  // @ts-expect-error nor in an array
  await store.add([date]);
  // @ts-expect-error a bigint is no JSON
  await store.set("a", 1n);
  // @ts-expect-error a function is no JSON
  await store.set("a", () => 1);
  // @ts-expect-error a symbol is no JSON
  await store.set("a", { b: Symbol("x") });
  // @ts-expect-error a Map is no JSON
  await store.set("a", new Map());
  await store.set(
    "a",
    // @ts-expect-error a class with methods is not JSON
    new (class {
      name = "x";
      greet(): void {}
    })(),
  );
  // @ts-expect-error among many
  await store.setMany([
    ["a", 1],
    ["b", date],
  ]);
  // @ts-expect-error or in a Map
  await store.setMany(new Map([["a", date]]));
  // @ts-expect-error a key is a string
  await store.get(1);
  // @ts-expect-error no such option
  await store.set("a", 1, { ttl: 5 });
  // @ts-expect-error an expiry is no boolean
  await store.set("a", 1, { expires: true });
  // @ts-expect-error no such method
  await store.delete("a");
  // @ts-expect-error prefix is synchronous
  await store.prefix("a").then();

  const value = await store.get("a");
  same<typeof value, Json | null>();
  const asUser = await store.get<User>("a");
  same<typeof asUser, User | null>();
  const many = await store.getMany<number>(["a"]);
  same<typeof many, (number | null)[]>();
  const entry = await store.entry<User>("a");
  same<typeof entry, Entry<User> | null>();
  const keys = await store.keys();
  same<typeof keys, string[]>();
  const pairs = await store.entries<User>();
  same<typeof pairs, [key: string, value: User][]>();
  for await (const [key, each] of store) {
    same<typeof key, string>();
    same<typeof each, Json>();
  }
}

export async function typed(): Promise<void> {
  const users = kv<User>(new Map(), { prefix: "user:", expires: "1d" });
  same<typeof users, Store<User>>();
  await users.set("ann", { name: "ann", tags: [] });
  await users.set("ann", user, { expires: 60 });
  // @ts-expect-error a member is missing
  await users.set("ann", { name: "ann" });
  // @ts-expect-error another type
  await users.set("ann", "ann");
  // @ts-expect-error a member too many
  await users.set("ann", { name: "ann", tags: [], admin: true });
  const ann = await users.get("ann");
  same<typeof ann, User | null>();
  const values = await users.prefix("a").expires(null).values();
  same<typeof values, User[]>();
  const page = await users.list({ limit: 5 });
  same<(typeof page.entries)[0], Entry<User>>();
  // @ts-expect-error no such option
  await users.list({ max: 5 });
}

export async function coded(codec: Codec<Date>): Promise<void> {
  const dates = kv(new Map(), { codec });
  same<typeof dates, Store<Date>>();
  await dates.set("a", date);
  // @ts-expect-error the codec takes dates
  await dates.set("a", "2020-01-01");
  // @ts-expect-error a typed store of what JSON cannot keep needs a codec for it
  kv<User>(new Map(), { codec });
}

export async function viaJson(url: URL): Promise<void> {
  const any = kv(new Map(), { codec: jsonCodec });
  same<typeof any, Store<unknown>>();
  await any.set("a", { url, date });
  const found = await any.get<{ url: string }>("a");
  same<typeof found, { url: string } | null>();
  const users = kv<User>(new Map(), { codec: jsonCodec });
  same<typeof users, Store<User>>();
}

export async function generic<T, U extends Json>(
  store: Store<T>,
  plain: Store,
  value: T,
  json: U,
): Promise<void> {
  await store.set("a", value);
  await store.add(value);
  await store.set("a", null);
  await plain.set("a", json);
  const unknowns: { data: unknown; record: Record<string, unknown> } = { data: 1, record: {} };
  await plain.set("a", unknowns);
  await plain.set("a", unknowns.data);
}

export async function results(store: Store): Promise<void> {
  const result = await store.commit(
    [{ key: "a", version: null }],
    [{ key: "a", value: 1, expires: "1h" }],
  );
  // @ts-expect-error only a success has a version
  result.version.length;
  if (result.ok) same<typeof result.version, string>();
  else same<typeof result.failed, string[]>();
  const error: unknown = null;
  if (isKvError(error)) same<typeof error, KvError>();
  // @ts-expect-error no such code
  isKvError(error, "KV_NOPE");
  // @ts-expect-error type and supports are read-only
  store.type = "X";
  if (store.supports.atomic === "yes") same<typeof store.supports.order, boolean>();
  // @ts-expect-error no such level
  if (store.supports.atomic === "maybe") return;
}

const own: CustomClient = { get: () => null, set: (_key, _value, { expires }) => expires };
kv(own);
// @ts-expect-error a client needs a set
const half: CustomClient = { get: () => null };
kv(half);
