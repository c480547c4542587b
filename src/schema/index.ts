export { bitset, type BitsetType } from "./bitset-field.ts";
export type * from "./bitset-values.ts";
export type * from "./fields.ts";
export type * from "./json-value.ts";
export { json, type JsonOptions, type JsonType } from "./json-type.ts";
export type { StandardIssue, StandardResult, StandardSchema } from "./standard.ts";
export {
  DynamicStore,
  type DynamicStoreMaker,
  StaticStore,
  type StaticStoreMaker,
} from "./stores.ts";
export type {
  Contained,
  DynamicTree,
  FieldType,
  NamedFields,
  Shape,
  Taken,
  TypedStore,
  TypedStoreOptions,
} from "./types.ts";
export { KvValidationError, type ValidationIssue } from "./validation-error.ts";
