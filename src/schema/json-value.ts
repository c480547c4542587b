import type { Expires } from "../types.ts";
import type { Field, FieldWatchOptions, FieldWriteOptions } from "./fields.ts";

/** The argument of `update()`: some members of an object, the whole of any other value. */
export type Patch<Input> = Input extends readonly unknown[]
  ? Input
  : Input extends object
    ? Partial<Input>
    : Input;

/** The methods of a JSON value at one place. */
export interface JsonValue<Input, Output> {
  /**
   * The value, as the schema makes it of the stored data; `undefined` when there is none. Data of
   * an older version is migrated, and kept so.
   *
   * @throws {KvError} KV_VALIDATION when the stored data does not fit the schema, or cannot be
   * migrated; it stays as it is.
   */
  read(): Promise<Output | undefined>;
  /**
   * Stores the schema's output for the value, and resolves to the value that `read()` will give.
   *
   * @throws {KvError} KV_VALIDATION when the value does not fit, or the schema cannot read its own
   * output; KV_INVALID_VALUE for an output that is no JSON, such as a Date (a codec of the store
   * widens that).
   */
  write(value: Input, options?: FieldWriteOptions): Promise<Output>;
  /**
   * Changes the value depending on the current one; concurrent changes are not lost. Into an object
   * the members of the result of `change` are put; any other value is replaced. `change` may be
   * called several times; `undefined` leaves the value as it is. Resolves to the new value; to
   * `undefined`, without a call, when there is none.
   *
   * @throws {KvError} as `write()`, and the error of `change`: nothing is changed then.
   */
  update(
    change: (value: Output) => Patch<Input> | undefined | Promise<Patch<Input> | undefined>,
    options?: FieldWriteOptions,
  ): Promise<Output | undefined>;
  /** As `watch()` of other fields. */
  watch(options?: FieldWatchOptions): ReadableStream<Output | undefined>;
  touch(expires: Expires): Promise<boolean>;
}

/**
 * A JSON value that fits a schema.
 *
 * @example
 * import * as v from "valibot";
 * import { DynamicStore } from "anykv/schema";
 *
 * const User = v.object({ name: v.string(), visits: v.optional(v.number(), 0) });
 * const users = DynamicStore("users", User);
 * const ann = users.take("ann");
 * console.log(await ann.write({ name: "Ann" })); // { name: "Ann", visits: 0 }
 * const updated = await ann.update(({ visits }) => ({ visits: visits + 1 }));
 * console.log(updated); // { name: "Ann", visits: 1 }
 */
export interface JsonField<Input, Output> extends Field, JsonValue<Input, Output> {}
