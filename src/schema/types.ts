import type { Store } from "../api.ts";
import type { BitsetType } from "./bitset-field.ts";
import type { DEFINITION, Definition } from "./definition.ts";
import type { BitsetField } from "./bitset-values.ts";
import type {
  BooleanField,
  BytesField,
  HashField,
  ListField,
  NumberField,
  SetField,
  SortedField,
  StringField,
} from "./fields.ts";
import type { JsonType } from "./json-type.ts";
import type { JsonField, JsonValue } from "./json-value.ts";
import type { StandardSchema } from "./standard.ts";

/** The fields that a word stands for. */
export interface NamedFields {
  string: StringField;
  number: NumberField;
  boolean: BooleanField;
  bytes: BytesField;
  set: SetField;
  list: ListField;
  hash: HashField;
  sorted: SortedField;
}

/** The result of `read()` of each. */
interface NamedValues {
  string: string;
  number: number;
  boolean: boolean;
  bytes: Uint8Array;
  set: Set<string>;
  list: string[];
  hash: { [name: string]: string };
  sorted: Map<string, number>;
}

/**
 * The type of a key of a typed store: a word, `bitset(bits)`, a schema of any library that follows
 * standardschema.dev, `json(schema, …)`, or another typed store.
 */
export type FieldType = keyof NamedFields | BitsetType | StandardSchema | JsonType | TypedStore;

/** The keys of a {@link StaticStore} and their types. */
export interface Shape {
  readonly [key: string]: FieldType;
}

/** The result of `take()` for a type: its field, or the nested store. */
export type Taken<Type> = Type extends keyof NamedFields
  ? NamedFields[Type]
  : Type extends TypedStore
    ? Type
    : Type extends BitsetType<infer Bits>
      ? BitsetField<Bits>
      : Type extends JsonType<infer Input, infer Output> | StandardSchema<infer Input, infer Output>
        ? JsonField<Input, Output>
        : never;

/**
 * The value of a type in `entries()`: the result of `read()` of its field. A bitset or a nested
 * store, which has no value as a whole, is given itself.
 */
export type Contained<Type> = Type extends keyof NamedValues
  ? NamedValues[Type]
  : Type extends TypedStore | BitsetType
    ? Taken<Type>
    : Type extends JsonType<unknown, infer Output> | StandardSchema<unknown, infer Output>
      ? Output
      : never;

/** The methods that all typed stores have. */
export interface TypedStore {
  /**
   * The name that it was made with. Nested in another one, it is kept under the key that it has
   * there.
   */
  readonly name: string;
  /** Where it is kept: the names of the stores around it and its own, with `:` between. */
  readonly key: string;
  /** Whether anything of it is kept. Costs up to one pass over the keys below it. */
  exists(): Promise<boolean>;
  /** Removes everything below it. Concurrent writes may stay. */
  erase(): Promise<void>;
  /** Its definition, for stores around it. */
  readonly [DEFINITION]: Definition;
}

/** Options of typed stores. Those of a nested store do not matter: it is kept where its root is. */
export interface TypedStoreOptions {
  /** Any store: `kv(client)`. Default: a memory of its own. */
  readonly store?: Store<never> | Store | Store<unknown> | undefined;
}

type KeyOf<S> = keyof S & string;

/**
 * The store's own name, unless the schema has a key like that, or the name is not known to the
 * type-checker.
 */
type OwnName<S, Name extends string> = string extends Name ? never : Exclude<Name, keyof S>;

/** A store with a fixed set of keys, each of its own type. */
export interface StaticStore<S extends Shape, Name extends string = string> extends TypedStore {
  readonly name: Name;
  /**
   * The field or the nested store under a key; this store for its own name, unless the schema has
   * that key. Nothing is read.
   *
   * @throws {KvError} KV_INVALID_KEY at once for a key that the schema lacks.
   */
  take<K extends KeyOf<S> | OwnName<S, Name>>(
    key: K,
  ): K extends keyof S ? Taken<S[K]> : StaticStore<S, Name>;
  /** The keys of the schema under which something is kept. Costs one pass over the keys below. */
  keys(): Promise<KeyOf<S>[]>;
  /** The same with the values: a read of each child, a hundred at a time. No snapshot. */
  entries(): Promise<{ [K in KeyOf<S>]: [key: K, value: Contained<S[K]>] }[KeyOf<S>][]>;
}

/** A store with any keys, all of one type. */
export interface DynamicTree<
  Type extends FieldType,
  Name extends string = string,
> extends TypedStore {
  readonly name: Name;
  /**
   * The field or the nested store under a key. Nothing is read.
   *
   * @throws {KvError} KV_INVALID_KEY at once for anything but a non-empty, well-formed string.
   */
  take(key: string): Taken<Type>;
  /** The keys under which something is kept, in no order. Costs one pass over the keys below. */
  keys(): Promise<string[]>;
  /** The same with the values: a read of each child, a hundred at a time. No snapshot. */
  entries(): Promise<[key: string, value: Contained<Type>][]>;
}

/**
 * A {@link DynamicTree} that, where its type is JSON, also has a value of that type itself, under
 * its own path.
 */
export type DynamicStore<Type extends FieldType, Name extends string = string> = DynamicTree<
  Type,
  Name
> &
  OwnValue<Type>;

type OwnValue<Type> = Type extends keyof NamedFields | TypedStore | BitsetType
  ? unknown
  : Type extends JsonType<infer Input, infer Output> | StandardSchema<infer Input, infer Output>
    ? JsonValue<Input, Output>
    : unknown;
