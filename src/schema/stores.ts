import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import type { Guarded } from "../store/guarded.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { bitsetField } from "./bitset-field.ts";
import { Cell } from "./cell.ts";
import {
  DEFINITION,
  type Definition,
  type NamedKind,
  type FieldDefinition,
  partFor,
} from "./definition.ts";
import type { Field } from "./fields.ts";
import { type SchemaBase, groundOf, insideOf } from "./base.ts";
import { hashField } from "./hash-field.ts";
import { jsonField } from "./json-field.ts";
import { listField } from "./list-field.ts";
import { encodeName, SEPARATOR } from "./path.ts";
import { setField } from "./set-field.ts";
import { booleanField, bytesField, numberField, stringField } from "./simple-fields.ts";
import { sortedField } from "./sorted-field.ts";
import { childrenOf, eraseBelow } from "./tree.ts";
import type {
  DynamicStore as DynamicStoreOf,
  FieldType,
  Shape,
  StaticStore as StaticStoreOf,
  TypedStore,
  TypedStoreOptions,
} from "./types.ts";

const FIELDS: { readonly [Kind in NamedKind]: (cell: Cell) => Field } = {
  string: stringField,
  number: numberField,
  boolean: booleanField,
  bytes: bytesField,
  set: setField,
  list: listField,
  hash: hashField,
  sorted: sortedField,
};

/** How many fields are read at the same time. */
const AT_ONCE = 100;

/** A store of either kind, as seen from inside. */
interface Tree extends TypedStore {
  take(key: string): unknown;
  keys(): Promise<string[]>;
  entries(): Promise<[string, unknown][]>;
}

/** What is under a path. */
function taken(base: SchemaBase, path: string, part: FieldDefinition): unknown {
  switch (part.kind) {
    case "store":
      return treeOf(base, path, part.definition);
    case "bitset":
      return bitsetField(new Cell(base, path, `bitset${part.bits}`), part.bits);
    case "json":
      return jsonField(new Cell(base, path, "json"), part.type);
    default:
      return FIELDS[part.kind](new Cell(base, path, part.kind));
  }
}

function treeOf(base: SchemaBase, path: string, definition: Definition): Tree {
  const { name, typeOf, dynamic } = definition;
  const own =
    dynamic?.kind === "json" ? jsonField(new Cell(base, path, "json"), dynamic.type) : null;

  function take(key: string): unknown {
    const part = encodeName(key);
    const type = typeOf(key);
    if (type !== undefined) return taken(base, path + SEPARATOR + part, type);
    if (key === name) return tree;
    throw new KvError(
      "KV_INVALID_KEY",
      `the store ${JSON.stringify(path)} has no key ${JSON.stringify(key)}: its schema names ` +
        "those it has",
      { client: base.store.type, key: path + SEPARATOR + part },
    );
  }
  const below = path + SEPARATOR;

  async function* children(adapter: Guarded): AsyncGenerator<string, void, undefined> {
    // What the schema does not name, such as the data of an older one, cannot be taken.
    for await (const key of childrenOf(base, adapter, path))
      if (key !== "" && typeOf(key) !== undefined) yield key;
  }
  async function keysNow(adapter: Guarded): Promise<string[]> {
    const found: string[] = [];
    for await (const key of children(adapter)) found.push(key);
    return found;
  }
  async function entriesNow(adapter: Guarded): Promise<[string, unknown][]> {
    const inside = treeOf(insideOf(base), path, definition);
    const entry = async (key: string): Promise<[string, unknown]> => {
      const { kind } = typeOf(key)!;
      return [
        key,
        kind === "store" || kind === "bitset"
          ? take(key)
          : await (inside.take(key) as { read(): Promise<unknown> }).read(),
      ];
    };
    const found: [string, unknown][] = [];
    const all = await keysNow(adapter);
    // One after the other, each would wait for its own round trip.
    for (let i = 0; i < all.length; i += AT_ONCE)
      found.push(...(await Promise.all(all.slice(i, i + AT_ONCE).map(entry))));
    // Some may have gone since they were listed.
    return found.filter(([, value]) => value !== undefined);
  }
  async function hasChildren(adapter: Guarded): Promise<boolean> {
    for await (const _ of children(adapter)) return true;
    return false;
  }
  const tree: Tree = {
    ...own,
    [DEFINITION]: definition,
    name,
    key: path,
    take,
    keys: () => base.turns.run({ readUnder: below }, keysNow),
    entries: () => base.turns.run({ readUnder: below }, entriesNow),
    async exists() {
      const found = await Promise.all([
        own?.exists() ?? false,
        base.turns.run({ readUnder: below }, hasChildren),
      ]);
      return found.includes(true);
    },
    async erase() {
      await Promise.all([
        own?.erase(),
        base.turns.run({ writeUnder: below }, (adapter) => eraseBelow(base, adapter, path)),
      ]);
    },
  };
  return tree;
}

/** @throws {KvError} KV_INVALID_KEY, KV_INVALID_VALUE, KV_INVALID_CLIENT. */
function rootOf(definition: Definition, options: unknown): Tree {
  // A store or a client in their place would be ignored, and the data kept in memory.
  checkOptions(options, ["store"], "a typed store", "KV_INVALID_CLIENT");
  return treeOf(
    groundOf((options as TypedStoreOptions | undefined)?.store),
    encodeName(definition.name),
    definition,
  );
}

function staticTree(name: string, schema: Shape, options: unknown): Tree {
  if (typeof schema !== "object" || schema === null)
    throw new KvError(
      "KV_INVALID_VALUE",
      "the schema of a static store is an object: { key: type }",
    );
  // As it is now, and by its own keys alone.
  const parts = new Map(
    Object.entries(schema).map(([key, type]) => [
      key,
      (encodeName(key), partFor(type, `the key ${JSON.stringify(key)}`)),
    ]),
  );
  return rootOf({ name, typeOf: (key) => parts.get(key), dynamic: null }, options);
}

function dynamicTree(name: string, type: FieldType, options: unknown): Tree {
  const part = partFor(type, "a dynamic store");
  return rootOf({ name, typeOf: () => part, dynamic: part }, options);
}

/** A store where one has to be: without it, nobody would know that the data is in memory. */
function onStore<T>(make: (options: TypedStoreOptions) => T, store: unknown): T {
  if (contextOf(store) === undefined)
    throw new KvError(
      "KV_INVALID_CLIENT",
      "redis() takes the store itself: kv(client), with a Redis client of yours",
    );
  return make({ store: store as Store });
}

// Functions that are also called with `new`: what they return is the result either way.
function makeStatic(name: string, schema: Shape, options?: TypedStoreOptions): Tree {
  return staticTree(name, schema, options);
}
makeStatic.redis = (name: string, schema: Shape, store: unknown): Tree =>
  onStore((options) => staticTree(name, schema, options), store);

function makeDynamic(name: string, type: FieldType, options?: TypedStoreOptions): Tree {
  return dynamicTree(name, type, options);
}
makeDynamic.redis = (name: string, type: FieldType, store: unknown): Tree =>
  onStore((options) => dynamicTree(name, type, options), store);

/** A store with a fixed set of keys, each of its own type. */
export type StaticStore<S extends Shape, Name extends string = string> = StaticStoreOf<S, Name>;

/** What {@link StaticStore} is called as. */
export interface StaticStoreMaker {
  <const Name extends string, S extends Shape>(
    name: Name,
    schema: S,
    options?: TypedStoreOptions,
  ): StaticStore<S, Name>;
  new <const Name extends string, S extends Shape>(
    name: Name,
    schema: S,
    options?: TypedStoreOptions,
  ): StaticStore<S, Name>;
  /**
   * The same as `{ store }`, for a store over Redis: `StaticStore.redis("app", { … }, kv(client))`.
   */
  redis<const Name extends string, S extends Shape>(
    name: Name,
    schema: S,
    store: NonNullable<TypedStoreOptions["store"]>,
  ): StaticStore<S, Name>;
}

/**
 * A store with a fixed set of keys, each of its own type: checked by the type-checker, and again
 * when it runs. With or without `new`.
 *
 * @param name the first part of all its keys.
 * @param schema the type of each key: `"string"`, `"number"`, `"boolean"`, `"bytes"`, `"set"`,
 * `"list"`, `"hash"`, `"sorted"`, `bitset(bits)`, a schema of zod, valibot, arktype or any other
 * library that follows standardschema.dev, `json(schema, { version, migrate })`, or another typed
 * store.
 * @throws {KvError} at once: KV_INVALID_KEY for names that are none, KV_INVALID_VALUE for types
 * that are none, KV_INVALID_CLIENT for a `store` that is none.
 * @example
 * import kv from "anykv";
 * import { DynamicStore, StaticStore } from "anykv/schema";
 * import { z } from "zod";
 *
 * const app = StaticStore("app", {
 *   users: DynamicStore("users", z.object({ name: z.string() })),
 *   visits: "number",
 * }, { store: kv(new Map()) });
 *
 * await app.take("users").take("ann").write({ name: "Ann" });
 * console.log(await app.take("visits").increment()); // 1
 * console.log((await app.keys()).sort()); // ["users", "visits"]
 * console.log(await app.take("users").keys()); // ["ann"]
 */
export const StaticStore: StaticStoreMaker = makeStatic as unknown as StaticStoreMaker;

/** A store with any keys, all of one type. */
export type DynamicStore<Type extends FieldType, Name extends string = string> = DynamicStoreOf<
  Type,
  Name
>;

/** What {@link DynamicStore} is called as. */
export interface DynamicStoreMaker {
  <const Name extends string, Type extends FieldType>(
    name: Name,
    type: Type,
    options?: TypedStoreOptions,
  ): DynamicStore<Type, Name>;
  new <const Name extends string, Type extends FieldType>(
    name: Name,
    type: Type,
    options?: TypedStoreOptions,
  ): DynamicStore<Type, Name>;
  /** The same as `{ store }`, for a store over Redis. */
  redis<const Name extends string, Type extends FieldType>(
    name: Name,
    type: Type,
    store: NonNullable<TypedStoreOptions["store"]>,
  ): DynamicStore<Type, Name>;
}

/**
 * A store with any keys, all of one type. With or without `new`. Where the type is JSON, it also
 * has a value of that type itself, with `read()`, `write()` and `update()`.
 *
 * @throws {KvError} as {@link StaticStore}.
 * @example
 * import { DynamicStore } from "anykv/schema";
 *
 * const sessions = new DynamicStore("sessions", "string");
 * await sessions.take("x7f").write("ann", { expires: "1h" });
 * console.log(await sessions.take("x7f").read(), await sessions.keys()); // ann ["x7f"]
 */
export const DynamicStore: DynamicStoreMaker = makeDynamic as unknown as DynamicStoreMaker;
