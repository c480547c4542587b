// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import kv, { type Store } from "anykv";
import { createHandler, serve, spaceOf } from "anykv/http";
import {
  type Key,
  type KeyPart,
  type MaybeEntry,
  type Selector,
  type VersionedCommit,
  type VersionedEntry,
  type VersionedList,
  type VersionedStore,
  versioned,
} from "anykv/versioned";

interface User {
  name: string;
  email: string;
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

declare const user: User;

export async function entries(): Promise<void> {
  const store = versioned(kv(new Map()));
  same<typeof store, VersionedStore>();

  const made = await store.set(["users", 1, 1n, true, new Uint8Array()], user, {
    expireIn: 60_000,
  });
  same<typeof made, VersionedEntry<User> & { ok: true }>();
  same<typeof made.version, string>();
  same<typeof made.value, User>();
  await store.set(["a"] as const, null, { expires: "1h" });
  await store.set(["a"], 1n);

  const entry = await store.get<User>(["users", "1"]);
  same<typeof entry, MaybeEntry<User>>();
  same<typeof entry.key, KeyPart[]>();
  same<typeof entry.version, string | null>();
  // Whoever has a version has a value.
  if (entry.version !== null) same<typeof entry.value, User>();
  else same<typeof entry.value, null>();
  // @ts-expect-error it may be missing
  entry.value.name.length;
  const unknown = await store.get(["a"]);
  same<typeof unknown.value, unknown>();
  const many = await store.getMany<User>([["a"], entry.key]);
  same<typeof many, MaybeEntry<User>[]>();
  const deleted = await store.delete(["a"]);
  same<typeof deleted, boolean>();

  // @ts-expect-error a key is an array
  await store.get("a");
  // @ts-expect-error of parts
  await store.get([null]);
  // @ts-expect-error a Date is no part
  await store.set([new Date()], 1);
  // @ts-expect-error no such option
  await store.set(["a"], 1, { ttl: 5 });
  // @ts-expect-error milliseconds are a number
  await store.set(["a"], 1, { expireIn: "1h" });
}

export async function listings(store: VersionedStore): Promise<void> {
  const selectors: Selector[] = [
    { prefix: [] },
    { prefix: ["a"], start: ["a", 1] },
    { prefix: ["a"], end: ["a", 1] },
    { start: ["a"], end: ["b"] },
  ];
  const list = store.list<User>(selectors[0]!, {
    limit: 5,
    cursor: "x",
    reverse: true,
    batchSize: 10,
  });
  same<typeof list.cursor, string>();
  for await (const entry of list) same<typeof entry, VersionedEntry<User>>();
  // @ts-expect-error half a range
  store.list({ start: ["a"] });
  // @ts-expect-error no such option
  store.list({ prefix: [] }, { offset: 5 });
  // @ts-expect-error a listing is no promise of one
  await store.list({ prefix: [] }).then();
  // @ts-expect-error the cursor is read-only
  list.cursor = "";
}

export async function transactions(
  store: VersionedStore,
  missing: MaybeEntry<User>,
): Promise<void> {
  const result = await store
    .atomic()
    .check(missing, { key: ["b"], version: null })
    .set(["a"], user, { expires: 60 })
    .delete(["b"])
    .sum(["n"], 1n)
    .min(["n"], 1n)
    .max(["n"], 1n)
    .commit();
  same<typeof result, VersionedCommit>();
  if (result.ok) same<typeof result.version, string>();
  // @ts-expect-error only a success has a version
  result.version.length;
  // @ts-expect-error counters are bigints
  store.atomic().sum(["n"], 1);
  // @ts-expect-error a check has a version
  store.atomic().check({ key: ["a"] });
  // @ts-expect-error a version is a text
  store.atomic().check({ key: ["a"], version: 5 });
  // @ts-expect-error a transaction is no promise
  await store.atomic().then();
}

export async function served(users: Store<User>): Promise<void> {
  createHandler(users, { tokens: "none" });
  await (await serve(users, { tokens: "none" })).close();
  same<ReturnType<typeof spaceOf>, Store>();
  spaceOf(users, "a");
  // @ts-expect-error a server is put over a store, not over a client
  createHandler(new Map(), { tokens: "none" });
}

export async function indexed(plain: Store, users: Store<User>): Promise<void> {
  const store = versioned(plain, {
    valueBytes: 16_384,
    indexes: {
      email: { prefix: ["users"], of: (each: User) => each.email, unique: true },
      name: { prefix: ["users"], of: (each: User, key: Key) => [each.name, key.length] },
      none: { prefix: ["users"], of: () => null },
    },
  });
  const found = await store.getBy<User>("email", "ann@example.com");
  same<typeof found, VersionedEntry<User> | null>();
  for await (const entry of store.listBy<User>("name", ["Ann", 2]))
    same<typeof entry, VersionedEntry<User>>();
  const page = store.listBy<User>("name", "Ann", { limit: 5, cursor: "x", reverse: true });
  same<typeof page, VersionedList<User>>();
  // @ts-expect-error no such option
  store.listBy("name", "Ann", { batchSize: 5 });
  const count = await store.reindex({ progress: (done) => done.toFixed() });
  same<typeof count, number>();
  for await (const states of store.watch([["a"]], { raw: true, interval: "500ms" }))
    same<typeof states, MaybeEntry[]>();
  await store.close();
  versioned(users);
  // @ts-expect-error what the value is has to be said: it is unknown
  versioned(plain, { indexes: { email: { prefix: ["users"], of: (each) => each.email } } });
  versioned(plain, {
    indexes: { all: { prefix: ["users"], of: (each) => (same<typeof each, unknown>(), null) } },
  });
  // @ts-expect-error an index is told what finds an entry
  versioned(plain, { indexes: { email: { prefix: ["users"] } } });
  // @ts-expect-error a Date finds nothing
  versioned(plain, { indexes: { born: { prefix: ["users"], of: () => new Date() } } });
  // @ts-expect-error no such option
  versioned(plain, { index: {} });
  // @ts-expect-error it is put over a store, not over a client
  versioned(new Map());
}
