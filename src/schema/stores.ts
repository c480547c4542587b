import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { groundOf } from "./base.ts";
import { type Definition, partFor } from "./definition.ts";
import { encodeName } from "./path.ts";
import { type TreeStore, treeOf } from "./tree-store.ts";
import type {
  DynamicStore as DynamicStoreOf,
  FieldType,
  Shape,
  StaticStore as StaticStoreOf,
  TypedStoreOptions,
} from "./types.ts";

/** @throws {KvError} KV_INVALID_KEY, KV_INVALID_VALUE, KV_INVALID_CLIENT. */
function rootOf(definition: Definition, options: unknown): TreeStore {
  // A store or a client passed as the options would be ignored, and the data kept in memory.
  checkOptions(options, ["store"], "a typed store", "KV_INVALID_CLIENT");
  return treeOf(
    groundOf((options as TypedStoreOptions | undefined)?.store),
    encodeName(definition.name),
    definition,
  );
}

function staticTree(name: string, schema: Shape, options: unknown): TreeStore {
  if (typeof schema !== "object" || schema === null)
    throw new KvError(
      "KV_INVALID_VALUE",
      "the schema of a static store is an object: { key: type }",
    );
  // Later changes of the schema, and inherited keys, do not count.
  const parts = new Map(
    Object.entries(schema).map(([key, type]) => [
      key,
      (encodeName(key), partFor(type, `the key ${JSON.stringify(key)}`)),
    ]),
  );
  return rootOf({ name, typeOf: (key) => parts.get(key), dynamic: null }, options);
}

function dynamicTree(name: string, type: FieldType, options: unknown): TreeStore {
  const part = partFor(type, "a dynamic store");
  return rootOf({ name, typeOf: () => part, dynamic: part }, options);
}

/** Requires the store: without it the data would silently be kept in memory. */
function onStore<T>(make: (options: TypedStoreOptions) => T, store: unknown): T {
  if (contextOf(store) === undefined)
    throw new KvError(
      "KV_INVALID_CLIENT",
      "redis() takes the store itself: kv(client), with a Redis client of yours",
    );
  return make({ store: store as Store });
}

// These functions may also be called with `new`. The returned object is the result either way.
function makeStatic(name: string, schema: Shape, options?: TypedStoreOptions): TreeStore {
  return staticTree(name, schema, options);
}
makeStatic.redis = (name: string, schema: Shape, store: unknown): TreeStore =>
  onStore((options) => staticTree(name, schema, options), store);

function makeDynamic(name: string, type: FieldType, options?: TypedStoreOptions): TreeStore {
  return dynamicTree(name, type, options);
}
makeDynamic.redis = (name: string, type: FieldType, store: unknown): TreeStore =>
  onStore((options) => dynamicTree(name, type, options), store);

/** A store with a fixed set of keys, each of its own type. */
export type StaticStore<S extends Shape, Name extends string = string> = StaticStoreOf<S, Name>;

/** The signatures of {@link StaticStore}. */
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

/** The signatures of {@link DynamicStore}. */
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
