import { toKvError } from "../store/failure.ts";
import { decodeValue, encodeValue } from "../store/coded.ts";
import { isKvError } from "../errors.ts";
import { copyOf } from "../record/json.ts";
import type { Json } from "../types.ts";
import type { Cell } from "./cell.ts";
import type { JsonType } from "./json-type.ts";
import { validated } from "./standard.ts";
import type { Content } from "./steps.ts";
import { KvValidationError } from "./validation-error.ts";

/** A value that has passed its schema, and its stored form. */
export interface SettledJson {
  readonly json: Json;
  readonly value: unknown;
}

/** Whether two JSON values are the same, whatever the order of their members. */
function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  const member = (of: object, key: string): Json | undefined =>
    Object.hasOwn(of, key) ? (of as { [key: string]: Json })[key] : undefined;
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => isSame(member(a, key), member(b, key)))
  );
}

/** Converts between the values of a JSON field and its stored content. */
export class JsonContent {
  readonly #cell: Cell;
  readonly #type: JsonType;

  constructor(cell: Cell, type: JsonType) {
    this.#cell = cell;
    this.#type = type;
  }

  #check(value: unknown): Promise<unknown> {
    const { client, full } = this.#cell;
    return validated(this.#type.schema, value, full, { client });
  }

  #refuse(message: string, details: { what?: string; cause?: unknown } = {}): never {
    const { client, full } = this.#cell;
    throw new KvValidationError(full, [{ message, path: [] }], { client, ...details });
  }

  encode(value: unknown): Json {
    const { base, client, full } = this.#cell;
    try {
      return value === null ? null : encodeValue(base.context.codec, value);
    } catch (error) {
      throw toKvError(error, client, "writing", full);
    }
  }

  #decode(json: Json): unknown {
    const { base, client, full } = this.#cell;
    try {
      return decodeValue(base.context.codec, json, full);
    } catch (error) {
      throw toKvError(error, client, "reading", full);
    }
  }

  /** A copy of a value: changing it does not change the value. */
  copy(value: unknown): unknown {
    return this.#decode(copyOf(this.encode(value)));
  }

  /** The stored form of a value, if the schema can read it again. */
  async settle(input: unknown): Promise<SettledJson> {
    const output = await this.#check(input);
    if (output === undefined)
      return this.#refuse("undefined cannot be kept: erase() removes the field");
    const json = this.encode(output);
    const value = await this.#check(this.#decode(copyOf(json))).catch((error: unknown) => {
      throw isKvError(error, "KV_VALIDATION")
        ? new KvValidationError(this.#cell.full, (error as KvValidationError).issues, {
            client: this.#cell.client,
            what: "as the schema makes it cannot be read again by that schema",
          })
        : error;
    });
    return isSame(this.encode(value), json)
      ? { json, value }
      : this.#refuse(
          "the schema makes something else of its own output, so that it cannot be read again",
        );
  }

  of({ json }: SettledJson): Content {
    const { version } = this.#type;
    return { json, ...(version !== 1 && { version }) };
  }

  /** The value of a stored content. `old` says whether an older version was stored. */
  async read(content: Content): Promise<{ value: unknown; old: boolean }> {
    const { version, migrate } = this.#type;
    const from = content["version"] ?? 1;
    const kept = this.#decode(content["json"] as Json);
    if (from === version) return { value: await this.#check(kept), old: false };
    const what = "cannot be brought to the version";
    if (typeof from !== "number" || from > version || migrate === undefined)
      return this.#refuse(
        `what is kept is of version ${String(from)}, the schema of version ${version}`,
        { what },
      );
    try {
      return { value: await migrate(kept, from), old: true };
    } catch (cause) {
      return this.#refuse(`migrate() throws for version ${from}: see the cause`, {
        what,
        ...(cause !== undefined && { cause }),
      });
    }
  }
}
