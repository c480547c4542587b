import type { Entry } from "../api.ts";
import { toKvError } from "../store/failure.ts";
import { decodeValue, encodeValue } from "../store/coded.ts";
import { untilDone } from "../concurrency/retry.ts";
import { isKvError, KvError } from "../errors.ts";
import { copyOf } from "../record/json.ts";
import type { Expires, Json } from "../types.ts";
import type { Cell } from "./cell.ts";
import { isJsonObject } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { FieldWriteOptions } from "./fields.ts";
import type { JsonField } from "./json-value.ts";
import type { JsonType } from "./json-type.ts";
import { validated } from "./standard.ts";
import type { Content, Steps } from "./steps.ts";
import { KvValidationError } from "./validation-error.ts";

/** A value that has been through its schema, and what is kept for it. */
interface Settled {
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

/** An entry with its value, and what it is to become. */
interface Patched {
  readonly entry: Entry<unknown>;
  readonly before: unknown;
  readonly patch: unknown;
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as Partial<PromiseLike<unknown>> | null)?.then === "function";

/**
 * The field of a JSON value. What goes in and out is what the schema says: that is known to the
 * type of the store.
 */
export function jsonField(
  cell: Cell,
  { schema, version, migrate }: JsonType,
): JsonField<never, never> {
  const { codec } = cell.base.context;
  const details = (): { client: string } => ({ client: cell.client });
  const check = (value: unknown): Promise<unknown> =>
    validated(schema, value, cell.full, details());

  function encode(value: unknown): Json {
    try {
      return value === null ? null : encodeValue(codec, value);
    } catch (error) {
      throw toKvError(error, cell.client, "writing", cell.full);
    }
  }
  function decode(json: Json): unknown {
    try {
      return decodeValue(codec, json, cell.full);
    } catch (error) {
      throw toKvError(error, cell.client, "reading", cell.full);
    }
  }

  /** What is kept for a value, if it can be read again. */
  async function settle(input: unknown): Promise<Settled> {
    const output = await check(input);
    const refuse = (message: string): never => {
      throw new KvValidationError(cell.full, [{ message, path: [] }], details());
    };
    if (output === undefined) return refuse("undefined cannot be kept: erase() removes the field");
    const json = encode(output);
    const value = await check(decode(copyOf(json))).catch((error: unknown) => {
      throw isKvError(error, "KV_VALIDATION")
        ? new KvValidationError(cell.full, (error as KvValidationError).issues, {
            ...details(),
            what: "as the schema makes it cannot be read again by that schema",
          })
        : error;
    });
    if (!isSame(encode(value), json))
      return refuse(
        "the schema makes something else of its own output, so that it cannot be read again",
      );
    return { json, value };
  }
  const contentOf = ({ json }: Settled): Content => ({ json, ...(version !== 1 && { version }) });

  /** The value that is kept; `old` says whether it is of an older version. */
  async function valueIn(content: Content): Promise<{ value: unknown; old: boolean }> {
    const from = content["version"] ?? 1;
    const kept = decode(content["json"] as Json);
    if (from === version) return { value: await check(kept), old: false };
    const refuse = (message: string, cause?: unknown): never => {
      throw new KvValidationError(cell.full, [{ message, path: [] }], {
        ...details(),
        what: "cannot be brought to the version",
        ...(cause !== undefined && { cause }),
      });
    };
    if (typeof from !== "number" || from > version || migrate === undefined)
      return refuse(`what is kept is of version ${String(from)}, the schema of version ${version}`);
    let migrated: unknown;
    try {
      migrated = await migrate(kept, from);
    } catch (cause) {
      return refuse(`migrate() throws for version ${from}: see the cause`, cause);
    }
    return { value: migrated, old: true };
  }

  async function read(): Promise<undefined> {
    const entry = await cell.inTurn("read", (steps) => steps.entry());
    if (entry === null) return undefined;
    const { value, old } = await valueIn(entry.value as Content);
    if (!old) return value as undefined;
    const settled = await settle(value);
    // Whoever has written meanwhile has written the new version; a client that takes no writes is
    // asked again by the next reader.
    const write = {
      key: cell.key,
      value: contentOf(settled),
      expires: entry.expires === null ? null : new Date(entry.expires),
    };
    if (entry.version !== null)
      await cell.base.store
        .commit([{ key: cell.key, version: entry.version }], [write])
        .catch(() => {});
    return settled.value as undefined;
  }

  /** What the caller makes of the value; `null` when there is none. */
  async function patched(steps: Steps, change: (value: never) => unknown): Promise<Patched | null> {
    // What cannot be changed safely is rejected, whether or not there is something.
    const entry = await steps.changeable();
    if (entry === null) return null;
    const { value: kept, old } = await valueIn(entry.value as Content);
    const before = old ? (await settle(kept)).value : kept;
    // What the caller does to the value itself does not count.
    return { entry, before, patch: change(decode(copyOf(encode(before))) as never) };
  }

  /** Writes the patch. `null`: the entry was written since. */
  async function applied(
    steps: Steps,
    { entry, before, patch }: Patched,
    expires: Expires | undefined,
  ): Promise<{ readonly value: unknown } | null> {
    if (patch === undefined && expires === undefined) return { value: before };
    const settled =
      patch === undefined
        ? null
        : await settle(
            isJsonObject(before) && isJsonObject(patch) ? { ...before, ...patch } : patch,
          );
    const isDone = await steps.replace(
      entry,
      settled === null ? (entry.value as Content) : contentOf(settled),
      expires,
    );
    return isDone ? { value: settled === null ? before : settled.value } : null;
  }

  async function update(
    change: (value: never) => unknown,
    options: FieldWriteOptions | undefined,
  ): Promise<undefined> {
    if (typeof change !== "function")
      throw new KvError("KV_INVALID_VALUE", "update() takes a function", {
        ...details(),
        key: cell.full,
      });
    const expires = cell.expiryOf(options);
    const result = await untilDone(async () => {
      const attempt = await cell.inTurn("write", async (steps) => {
        const found = await patched(steps, change);
        if (found === null) return { value: undefined };
        if (!isThenable(found.patch)) return applied(steps, found, expires);
        const patch = Promise.resolve(found.patch);
        patch.catch(() => {});
        return { ...found, patch };
      });
      if (attempt === null || !("patch" in attempt)) return attempt;
      // The turn is over: the caller's function takes its time, and may use this field.
      const found = { ...attempt, patch: await attempt.patch };
      return cell.inTurn("write", (steps) => applied(steps, found, expires));
    });
    return result.value as undefined;
  }

  return {
    ...fieldOf(cell, async (steps) => (await steps.content()) !== null),
    read,
    async write(value: unknown, options) {
      const expires = cell.expiryOf(options);
      // Begun now: the caller may change the value afterwards.
      const settling = settle(value);
      settling.catch(() => {});
      return cell.inTurn("write", async (steps) => {
        const settled = await settling;
        await steps.put(contentOf(settled), expires);
        return settled.value as never;
      });
    },
    update,
    watch: (options) =>
      watchCell(cell, read, options, (value) => (value === undefined ? undefined : encode(value))),
  };
}
