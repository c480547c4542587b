// Compiled by the type-check alone: every line under @ts-expect-error must not compile, every other
// line must.
import { type } from "arktype";
import kv, { type Client, type Store } from "anykv";
import {
  bitset,
  type BitsetField,
  type Contained,
  DynamicStore,
  type HashField,
  json,
  type JsonField,
  type NumberField,
  type SetField,
  StaticStore,
  type StringField,
  type TypedStore,
} from "anykv/schema";
import { rich } from "anykv/codec";
import * as v from "valibot";
import { z } from "zod";

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {};

/** The example that the API follows, as it was printed. */
export async function asPrinted(): Promise<void> {
  const store = StaticStore("foo", {
    bar: new DynamicStore("bar", z.array(z.object({ message: z.string() }))),

    baz: "set",
  });

  const val = await store.take("foo").take("bar").read();
  same<typeof val, { message: string }[] | undefined>();

  await store
    .take("foo")
    .take("bar")
    .take("any")
    .write([{ message: "Hello, World!" }]);

  await store
    .take("foo")
    .take("bar")
    .take("any")
    // @ts-expect-error the types do not match
    .write([{ message: 0 }]);

  await store
    // @ts-expect-error the key is not defined
    .take("notfoo")
    // @ts-expect-error and neither is its type
    .take("bar")
    .take("any")
    .write([{ message: "Hello, World!" }]);

  await store
    .take("foo")
    .take("bar")
    .take("some other key that does not exist yet")
    .write([{ message: "Hello, World!" }]);

  const set = store.take("baz");
  same<typeof set, SetField>();
  const again = store.take("foo");
  same<typeof again, typeof store>();
  // @ts-expect-error a field has no keys
  store.take("baz").take("x");
  // @ts-expect-error its own value has the same type
  await store.take("bar").write([{ message: 0 }]);
}

export async function fields(text: string): Promise<void> {
  const store = new StaticStore("app", {
    string: "string",
    number: "number",
    boolean: "boolean",
    bytes: "bytes",
    set: "set",
    list: "list",
    hash: "hash",
    sorted: "sorted",
    small: bitset(8),
    wide: bitset(64),
    zod: z.object({ name: z.string(), age: z.number().default(0) }),
    valibot: v.object({ name: v.string() }),
    arktype: type({ name: "string", "age?": "number" }),
    versioned: json(v.number(), { version: 2, migrate: (value, from) => Number(value) + from }),
    nested: StaticStore("nested", {
      deeper: new StaticStore("deeper", { deepest: new DynamicStore("deepest", "number") }),
    }),
    app2: "string",
  });
  same<typeof store.name, "app">();

  const string = store.take("string");
  same<typeof string, StringField>();
  await string.write("text", { expires: "1h" });
  // @ts-expect-error not a string
  await string.write(5);
  // @ts-expect-error a string has no members
  await string.add("x");
  // @ts-expect-error no such option
  await string.write("text", { expiration: 5 });
  // @ts-expect-error a string is read whole
  await string.read(5);
  const read = await string.read();
  same<typeof read, string | undefined>();

  const sum: number = await store.take("number").increment(5);
  // @ts-expect-error not a number
  await store.take("number").write(String(sum));
  // @ts-expect-error a number is not pushed to
  await store.take("number").push("x");
  // @ts-expect-error not a boolean
  await store.take("boolean").write("true");
  // @ts-expect-error not bytes
  await store.take("bytes").write("text");
  // @ts-expect-error members are texts
  await store.take("set").add(5);
  await store.take("set").add(["a", "b"], { expires: new Date() });
  await store.take("set").write(new Set(["a"]));
  // @ts-expect-error only sets
  await store.take("set").intersect(store.take("list"));
  // @ts-expect-error items are texts
  await store.take("list").push({});
  // @ts-expect-error a list has no members
  await store.take("list").has("x");
  await store.take("hash").setAll({ a: "b" });
  await store.take("hash").setAll(new Map([["a", "b"]]));
  // @ts-expect-error values are texts
  await store.take("hash").set("a", 5);
  // @ts-expect-error scores are numbers
  await store.take("sorted").add("a", "5");
  await store.take("sorted").write({ a: 5 });
  const range = await store.take("sorted").range(0, 5, { reverse: true });
  same<typeof range, [member: string, score: number][]>();

  const small = store.take("small");
  same<typeof small, BitsetField<8>>();
  await small.write(0, 5);
  // @ts-expect-error up to 53 bits are numbers
  await small.write(0, 5n);
  // @ts-expect-error an index is needed
  await small.read();
  const wide = await store.take("wide").read(0);
  same<typeof wide, bigint | undefined>();
  // @ts-expect-error 64 bits are bigints
  await store.take("wide").increment(0, 5);

  const person = store.take("zod");
  await person.write({ name: "Ann" });
  // @ts-expect-error the name is missing
  await person.write({ age: 5 });
  // @ts-expect-error not a number
  await person.update(() => ({ age: "5" }));
  await person.update(async ({ age }) => ({ age: age + 1 }));
  const written = await person.write({ name: "Ann" });
  same<typeof written, { name: string; age: number }>();
  const updated = await store.take("valibot").update(() => ({ name: "Bob" }));
  same<typeof updated, { name: string } | undefined>();
  const ark = await store.take("arktype").read();
  same<typeof ark, { name: string; age?: number } | undefined>();
  // @ts-expect-error not what arktype was told
  await store.take("arktype").write({ name: 5 });
  const versioned = store.take("versioned");
  same<typeof versioned, JsonField<number, number>>();
  json(v.number(), { version: undefined, migrate: undefined });
  // @ts-expect-error a version goes with a way to it
  json(5);

  const deepest = store.take("nested").take("deeper").take("deepest").take(text);
  same<typeof deepest, NumberField>();
  // @ts-expect-error no such key
  store.take("nested").take("deepest");
  // @ts-expect-error keys are texts
  store.take("nested").take("deeper").take("deepest").take(5);
  // @ts-expect-error any text may be a key that is missing
  store.take(text);

  const keys = await store.take("nested").keys();
  same<typeof keys, "deeper"[]>();
  for (const [key, value] of await store.entries()) {
    if (key === "set") same<typeof value, Set<string>>();
    if (key === "zod") same<typeof value, { name: string; age: number }>();
    if (key === "wide") same<typeof value, BitsetField<64>>();
  }
  const stores: TypedStore[] = [store, store.take("nested"), new DynamicStore("a", "hash")];
  await stores[0]!.erase();
  same<Contained<"sorted">, Map<string, number>>();
  const stream = person.watch({ interval: "5ms" });
  same<typeof stream, ReadableStream<{ name: string; age: number } | undefined>>();
}

export async function stores(client: Client, typed: Store<string>): Promise<void> {
  const hash = DynamicStore("hashes", "hash", { store: kv(client) }).take("any");
  same<typeof hash, HashField>();
  const entries = await new DynamicStore("dates", z.date(), {
    store: kv(client, { codec: rich }),
  }).entries();
  same<typeof entries, [key: string, value: Date][]>();
  StaticStore.redis("app", { a: "string" }, kv(client)).take("a");
  // @ts-expect-error the store is needed
  StaticStore.redis("app", { a: "string" });
  DynamicStore.redis("app", "string", typed);
  // @ts-expect-error no such type
  StaticStore("app", { a: "sett" });
  // @ts-expect-error a client is no store
  StaticStore("app", { a: "set" }, { store: new Map() });
  // @ts-expect-error no type at all
  DynamicStore("app", {});
  // @ts-expect-error a dynamic store of texts has no value of its own
  await DynamicStore("app", "string").read();
  // A key like the store's own name is a key.
  const inner = StaticStore("foo", { foo: "string" }).take("foo");
  same<typeof inner, StringField>();
  // A name that is not known is no key.
  const name: string = String(client);
  // @ts-expect-error it may be anything
  StaticStore(name, { a: "string" }).take("b");
}
