import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { isStandardSchema, type StandardSchema } from "./standard.ts";

/** How data of older versions becomes data of this one. */
export interface JsonOptions {
  /**
   * The version of the schema: a whole number from 1. Data that names none is of version 1. Default
   * 1.
   */
  readonly version?: number | undefined;
  /**
   * Makes a value of this version out of one of an older version; the result has to fit the schema.
   * It may be called several times, and may take its time.
   */
  readonly migrate?: ((value: unknown, fromVersion: number) => unknown) | undefined;
}

/** The type of a JSON value with a version: the result of {@link json}. */
export interface JsonType<Input = unknown, Output = unknown> {
  readonly kind: "json";
  readonly schema: StandardSchema<Input, Output>;
  readonly version: number;
  readonly migrate: ((value: unknown, fromVersion: number) => unknown) | undefined;
}

/**
 * The type of a field of JSON values, with a version. A schema alone is the same with version 1.
 *
 * Data of an older version is migrated when it is read, and kept so if no other process has written
 * meanwhile. Data that cannot be migrated, or has a later version, rejects with KV_VALIDATION, and
 * stays as it is.
 *
 * @throws {KvError} KV_INVALID_VALUE immediately for an invalid schema, version or option, and for
 * a version above 1 without `migrate`.
 * @example
 * import kv from "anykv";
 * import { DynamicStore, json } from "anykv/schema";
 * import { z } from "zod";
 *
 * const store = kv();
 * const users = DynamicStore("users", z.object({ name: z.string() }), { store });
 * await users.take("ann").write({ name: "Ann Lee" });
 *
 * const User = json(z.object({ first: z.string(), last: z.string() }), {
 *   version: 2,
 *   migrate({ name }) {
 *     const [first, last] = name.split(" ");
 *     return { first, last };
 *   },
 * });
 * const ann = DynamicStore("users", User, { store }).take("ann");
 * console.log(await ann.read()); // { first: "Ann", last: "Lee" }
 */
export function json<Input, Output>(
  schema: StandardSchema<Input, Output>,
  options: JsonOptions = {},
): JsonType<Input, Output> {
  if (!isStandardSchema(schema))
    throw new KvError(
      "KV_INVALID_VALUE",
      "json() takes a schema of a library that follows standardschema.dev",
    );
  // A bare version in their place would be version 1 by mistake.
  checkOptions(options, ["version", "migrate"], "json()");
  const { version = 1, migrate } = options;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new KvError("KV_INVALID_VALUE", "the version of a schema is a whole number from 1");
  if (version > 1 && typeof migrate !== "function")
    throw new KvError(
      "KV_INVALID_VALUE",
      "a schema of a version above 1 needs migrate(value, fromVersion)",
    );
  return Object.freeze({ kind: "json", schema, version, migrate });
}

/**
 * The JSON type that a definition names: one of {@link json}, or a schema; `undefined` for anything
 * else.
 */
export function jsonTypeOf(type: unknown): JsonType | undefined {
  if (isStandardSchema(type)) return json(type);
  const { kind, schema } = Object(type) as Partial<JsonType>;
  return kind === "json" && isStandardSchema(schema) ? (type as JsonType) : undefined;
}
