import { KvError } from "../errors.ts";
import { isBitsetType } from "./bitset-field.ts";
import { type JsonType, jsonTypeOf } from "./json-type.ts";

// Numbered: a store of another copy of this library is only taken apart where its parts are the
// same.
/** The member of a typed store that holds its definition. */
export const DEFINITION: unique symbol = Symbol.for("anykv.schema.1") as never;

/** The definition of a typed store. */
export interface Definition {
  readonly name: string;
  /** The type of a key; `undefined` for a key that the store does not have. */
  readonly typeOf: (key: string) => FieldDefinition | undefined;
  /** Whether every key has this type, which may be the store's own, too. */
  readonly dynamic: FieldDefinition | null;
}

/** The type of a key. */
export type FieldDefinition =
  | { readonly kind: "store"; readonly definition: Definition }
  | { readonly kind: "bitset"; readonly bits: number }
  | { readonly kind: "json"; readonly type: JsonType }
  | { readonly kind: NamedKind };

export const NAMED_KINDS = [
  "string",
  "number",
  "boolean",
  "bytes",
  "set",
  "list",
  "hash",
  "sorted",
] as const;
export type NamedKind = (typeof NAMED_KINDS)[number];

const isNamed = (type: unknown): type is NamedKind =>
  (NAMED_KINDS as readonly unknown[]).includes(type);

/**
 * The definition of a type in a schema.
 *
 * @throws {KvError} KV_INVALID_VALUE for an unknown type.
 */
export function partFor(type: unknown, where: string): FieldDefinition {
  if (isNamed(type)) return { kind: type };
  const definition =
    Object(type) === type ? (type as { [DEFINITION]?: Definition })[DEFINITION] : undefined;
  if (definition !== undefined) return { kind: "store", definition };
  if (isBitsetType(type)) return { kind: "bitset", bits: type.bits };
  const json = jsonTypeOf(type);
  if (json !== undefined) return { kind: "json", type: json };
  throw new KvError(
    "KV_INVALID_VALUE",
    `${where} has no type that a typed store knows: ` +
      `${NAMED_KINDS.map((kind) => `"${kind}"`).join(", ")}, bitset(bits), a schema that ` +
      "follows standardschema.dev, or another typed store",
  );
}
