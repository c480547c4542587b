// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import { PGlite } from "@electric-sql/pglite";
import Keyv from "keyv";
import { Level } from "level";
import localforage from "localforage";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import { createClient } from "redis";
import { createStorage } from "unstorage";
import kv, {
  type Client,
  type Codec,
  type Json,
  type KvOptions,
  type PlainOptions,
  type SetOptions,
  type Store,
  type StoreType,
} from "anykv";
import { rich } from "anykv/codec";
import { sqlite } from "anykv/clients/sqlite";

interface User {
  name: string;
  age?: number;
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

declare const text: string;
declare const maybe: string | undefined;
declare const dates: Codec<Date>;

class OwnClass {
  get(key: string): string {
    return key;
  }
  set(): void {}
}

class NeedsArguments extends OwnClass {
  url: string;
  constructor(url: string) {
    super();
    this.url = url;
  }
}

async function connect(): Promise<Client> {
  return process.env.KV_URL === undefined ? new Map() : new URL(process.env.KV_URL);
}

export function clients(): Client[] {
  const accepted: Client[] = [
    new Map(),
    new Map<string, number>(),
    Map,
    localStorage,
    sessionStorage,
    "cookie",
    localforage,
    indexedDB,
    "indexeddb://database/store",
    new URL("file:///tmp/data.json"),
    "file:///tmp/data.json",
    "https://kv.example.com",
    "http://localhost:8080",
    new Level<string, Json>("data"),
    new DatabaseSync(":memory:"),
    sqlite(new DatabaseSync(":memory:")),
    new pg.Pool(),
    new pg.Client(),
    new PGlite(),
    createClient(),
    createClient().connect(),
    new Keyv(),
    createStorage(),
    new OwnClass(),
    OwnClass,
    { get: () => null, set: () => {} },
    kv(),
    kv<User>(new Map()),
    kv(new Map(), { codec: rich }),
    Promise.resolve(new Map()),
    Promise.resolve(kv<User>()),
  ];
  kv();
  kv(undefined);
  kv(connect());
  // The parameters of a client of one's own get their types from the interface.
  kv({
    get: (key) => key.length,
    set: (key, value, { expires }) => [key, value, expires],
    *iterate(prefix) {
      yield [prefix, 1];
    },
  });
  return accepted;
}

export function rejected(): void {
  // @ts-expect-error a number is no client
  kv(42);
  // @ts-expect-error nor is null
  kv(null);
  // @ts-expect-error options come second
  kv({ prefix: "a:" });
  // @ts-expect-error an address is no client
  kv("redis://localhost");
  // @ts-expect-error a path is no client
  kv("./data.json");
  // @ts-expect-error a variable of the environment may be missing, which is memory
  kv(process.env.KV_URL);
  // @ts-expect-error the same
  kv(maybe);
  // @ts-expect-error any string: new URL(text)
  kv(text);
  kv(new URL(text));
  // @ts-expect-error not called
  kv(createClient);
  // @ts-expect-error not called
  kv(() => new Map());
  // @ts-expect-error makes nothing without arguments
  kv(NeedsArguments);
  // @ts-expect-error a set has no values
  kv(new Set());
  // @ts-expect-error a promise of nothing
  kv(Promise.resolve());
  // @ts-expect-error a promise of a number
  kv(Promise.resolve(42));
  // @ts-expect-error no such option
  kv(new Map(), { ttl: 60 });
  // @ts-expect-error no such capability
  kv(new Map(), { requires: { durable: true } });
  // @ts-expect-error no such level
  kv(new Map(), { requires: { atomic: "maybe" } });
}

export function options(settings: {
  prefix: string | undefined;
  expires: string | undefined;
  timeout: number | undefined;
}): void {
  same<ReturnType<typeof plain>, Store<Json>>();
  function plain(client: Client, given?: PlainOptions) {
    return kv(client, given);
  }
  // Whether there is a codec is not known: nor are the values.
  same<ReturnType<typeof wrapped>, Store<unknown>>();
  function wrapped(client: Client, given?: KvOptions) {
    return kv(client, given);
  }
  kv(new Map(), settings);
  kv(new Map(), { ...settings, codec: undefined });
  kv<User>(new Map(), {
    ...settings,
    requires: { persistent: true, atomic: "yes", keyBytes: undefined },
  });
}

export function values(): void {
  same<ReturnType<typeof user>, Store<User>>();
  const user = () => kv<User>(new Map());
  same<ReturnType<typeof union>, Store<"a" | "b">>();
  const union = () => kv<"a" | "b">(new Map(), { prefix: "a:" });
  same<ReturnType<typeof any>, Store<unknown>>();
  const any = () => kv<unknown>(new Map());
  same<ReturnType<typeof date>, Store<Date>>();
  const date = () => kv<Date>(new Map(), { codec: dates });
  // @ts-expect-error JSON keeps no Date: a codec is needed
  kv<Date>();
  // @ts-expect-error not inside either
  kv<{ born: Date }>(new Map());
  // @ts-expect-error nor with other options
  kv<Map<string, number>>(new Map(), { prefix: "a:" });
  // @ts-expect-error another codec
  kv<User>(new Map(), { codec: dates });
}

export function generic<T extends Json, U>(
  client: Client,
  codec: Codec<U>,
): [Store<T>, Store<U>, Store<U>] {
  return [kv<T>(client), kv<U>(client, { codec }), kv(client) as Store<U>];
}

export async function untyped<T>(any: Store, of: Store<T>): Promise<void> {
  // A store of any type.
  const stores: Store[] = [
    kv<User>(),
    kv(),
    kv<string>(),
    kv(new Map(), { codec: rich }),
    kv<Date>(new Map(), { codec: dates }),
    of,
  ];
  for (const store of stores) await store.clear();
  const found = await any.get("a");
  same<typeof found, unknown>();
  const user = await any.get<User>("a");
  same<typeof user, User | null>();
  const own: T | null = await of.get("a");
  const [first] = await of.getMany(["a"]);
  await of.set("a", own ?? first);
}

export async function reading(strings: Store<string>, json: Store<Json>): Promise<void> {
  const text = await strings.get("a");
  same<typeof text, string | null>();
  const letter = await strings.get<"a" | "b">("a");
  same<typeof letter, "a" | "b" | null>();
  const wide = await strings.get<unknown>("a");
  same<typeof wide, unknown>();
  // @ts-expect-error its values are strings
  await strings.get<number>("a");
  // @ts-expect-error its values are strings
  await strings.entry<User>("a");
  // @ts-expect-error its values are strings
  await strings.getMany<number>(["a"]);
  const user = await json.get<User>("a");
  same<typeof user, User | null>();
  const entry = await json.entry<User>("a");
  same<
    typeof entry,
    {
      key: string;
      value: User;
      version: string | null;
      expires: number | null;
      metadata: Json;
    } | null
  >;
  const all = await Promise.all(["a", "b"].map(strings.get));
  same<typeof all, (string | null)[]>();
}

export async function durations(
  store: Store,
  given: SetOptions,
  count: number,
  unit: "h" | "m",
): Promise<void> {
  for (const expires of [text, maybe, null, undefined, 60, new Date()])
    await store.set("a", 1, { expires });
  await store.set("a", 1, given);
  await store.set("a", 1, { expires: "10m" });
  await store.set("a", 1, { expires: "10 minutes" });
  await store.set("a", 1, { expires: "1h30m" });
  await store.set("a", 1, { expires: "1 hour 30 minutes" });
  await store.set("a", 1, { expires: "1,000ms" });
  await store.set("a", 1, { expires: "1_000 ms" });
  await store.set("a", 1, { expires: ".5 H" });
  await store.set("a", 1, { expires: "60" });
  await store.set("a", 1, { expires: `${count}h` });
  await store.set("a", 1, { expires: `${text}h` });
  await store.set("a", 1, { expires: `5${unit}` });
  await store.set("a", 1, { expires: count > 1 ? "1h" : 60 });
  await store.set("a", 1, { expires: process.env.TTL ?? "1h" });
  // @ts-expect-error no such unit
  await store.set("a", 1, { expires: "10 minuts" });
  // @ts-expect-error a month or a minute?
  await store.set("a", 1, { expires: "1M" });
  // @ts-expect-error 30 of what?
  await store.set("a", 1, { expires: "1h30" });
  // @ts-expect-error no number
  await store.set("a", 1, { expires: "soon" });
  // @ts-expect-error one of them
  await store.set("a", 1, { expires: count > 1 ? "1h" : "1x" });
  // @ts-expect-error everywhere
  await store.add(1, { expires: "10 minuts" });
  // @ts-expect-error everywhere
  await store.setMany([["a", 1]], { expires: "10 minuts" });
  // @ts-expect-error everywhere
  await store.touch("a", "10 minuts");
  // @ts-expect-error everywhere
  store.expires("10 minuts");
  // @ts-expect-error everywhere
  kv(new Map(), { expires: "10 minuts" });
}

export function kinds(store: Store): StoreType {
  // A client of one's own may have another name.
  same<typeof store.type, StoreType | (string & {})>();
  // @ts-expect-error no such kind
  const wrong: StoreType = "MONGO";
  return store.type === "REDIS" ? "REDIS" : wrong;
}
