// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import anykv, { type Store } from "anykv";
import { rich, type Rich } from "anykv/codec";
import {
  createKVStore,
  kv,
  type KVEvent,
  type KVFn,
  type KVOperation,
  type KVSeed,
  type KVState,
  type KVStatus,
  type KVStore,
  type KVStoreOptions,
  type Storable,
  type SubscribeOptions,
} from "anykv/reactive";

interface User {
  name: string;
  tags: Set<string>;
  born?: Date;
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

declare const user: User;

export function states(): void {
  same<typeof kv, KVFn>();
  const state = kv("user", user);
  same<typeof state, KVState<User>>();
  same<typeof state.status, KVStatus>();
  state.data.tags.add("x");
  state.data = { name: "x", tags: new Set() };
  // @ts-expect-error no such member
  state.data.age = 1;
  // @ts-expect-error another type
  state.data = "x";

  // What a literal stands for, not the literal.
  const count = kv("count", 0);
  same<typeof count.data, number>();
  const theme = kv<"dark" | "light">("theme", "dark");
  same<typeof theme.data, "dark" | "light">();
  const list = kv("list", [new Date(), null]);
  same<typeof list.data, (Date | null)[]>();
  const missing = kv<User>("missing");
  same<typeof missing.data, User | undefined>();
  // @ts-expect-error it may be missing
  missing.data.name.length;
  const looked = kv.peek("user", user);
  same<typeof looked, KVState<User>>();

  const seen = kv.snapshot(state);
  same<typeof seen, Readonly<KVState<User>>>();
  // @ts-expect-error a snapshot is not to be changed
  seen.data = user;
  const stop = kv.subscribe(state, () => {}, { sync: true });
  same<typeof stop, () => void>();
  same<Parameters<KVFn["subscribe"]>[2], SubscribeOptions | undefined>();
  kv.leave(state);
  kv.leave(count);
  kv.remove("user");
  // @ts-expect-error a key is a string
  kv(1, user);
  // @ts-expect-error a state, not its key
  kv.leave("user");
}

export async function stores(): Promise<void> {
  const a = createKVStore("a");
  same<typeof a, KVFn>();
  createKVStore<User>("b", 2, "database", [["x", user]]);
  createKVStore("b", 2, "database", [
    ["x", 1],
    ["y", "two"],
    ["z", user],
  ]);
  createKVStore("c", { store: anykv(new Map()), interval: 0, delay: "5ms", seeds: [["x", 1]] });
  createKVStore("c", { store: anykv<Rich>(new Map(), { codec: rich }) });
  createKVStore("c", { store: anykv<{ n: number }>(new Map()) });
  createKVStore("d", { version: 2, dbName: "database" });
  // @ts-expect-error another type than was said
  createKVStore<User>("b", 2, "database", [["x", 1]]);
  // @ts-expect-error a client has to be made a store
  createKVStore("c", { store: new Map() });
  // @ts-expect-error no such option
  createKVStore("c", { database: "x" });
  const seed: KVSeed<number> = ["x", 1];
  const options: KVStoreOptions<number> = { seeds: [seed] };
  createKVStore<number>("e", options);

  const done = await a.ready();
  same<typeof done, true>();
  const rows = a.store();
  same<typeof rows, KVStore>();
  const value = rows.get("x");
  same<typeof value, unknown>();
  const operation = rows.set("x", user);
  same<typeof operation, KVOperation>();
  same<ReturnType<KVOperation["promise"]>, Promise<void>>();
  rows.subscribe((event) => {
    same<typeof event, KVEvent>();
    if (event.type === "set") same<typeof event.value, unknown>();
    // @ts-expect-error only what is set has a value
    else event.value;
  });
  const { type } = await rows.promise();
  same<typeof type, "open" | "closed">();

  const storable: Storable[] = [
    1,
    "x",
    null,
    undefined,
    1n,
    user,
    [user],
    new Map([[1, user]]),
    new Date(),
    new Uint8Array(),
  ];
  rows.set("x", storable);
  rows.set("x", { a: 1, list: [{ b: new Map() }] });
  // @ts-expect-error a function cannot be stored
  rows.set("x", () => 1);
  // @ts-expect-error nor a class
  rows.set("x", class {});
  // @ts-expect-error nor a symbol
  rows.set("x", Symbol("x"));
}

export const typed: Store<{ n: number }> = anykv<{ n: number }>();
