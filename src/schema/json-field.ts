import { isKvError, KvError } from "../errors.ts";
import { copyOf } from "../value.ts";
import { checkedCopy } from "../value-fault.ts";
import type { Json } from "../types.ts";
import type { Cell, Content } from "./cell.ts";
import { isPlain } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { JsonField } from "./json-value.ts";
import type { JsonType } from "./json-type.ts";
import { validated } from "./standard.ts";
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
  const member = (of: object, key: string): Json | undefined => (Object.hasOwn(of, key) ? (of as { [key: string]: Json })[key] : undefined);
  return Array.isArray(a) === Array.isArray(b) && keys.length === Object.keys(b).length && keys.every((key) => isSame(member(a, key), member(b, key)));
}

/** The field of a JSON value. What goes in and out is what the schema says: that is known to the type of the store. */
export function jsonField(cell: Cell, { schema, version, migrate }: JsonType): JsonField<never, never> {
  const { codec } = cell.ground.context;
  const details = (): { client: string } => ({ client: cell.client });
  const check = (value: unknown): Promise<unknown> => validated(schema, value, cell.full, details());

  function encode(value: unknown): Json {
    try {
      return checkedCopy(codec === undefined ? value : codec.encode(value));
    } catch (error) {
      const known = isKvError(error) ? error : new KvError("KV_INVALID_VALUE", "the codec cannot encode this value", { cause: error });
      throw new KvError(known.code, known.message, { ...details(), key: cell.full, cause: known.cause });
    }
  }
  function decode(json: Json): unknown {
    if (codec === undefined) return json;
    try {
      return codec.decode(json);
    } catch (cause) {
      throw new KvError("KV_CORRUPT", `the codec cannot decode the value under ${JSON.stringify(cell.full)}`, { ...details(), key: cell.full, cause });
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
      throw isKvError(error, "KV_VALIDATION") ? new KvValidationError(cell.full, (error as KvValidationError).issues, { ...details(), what: "as the schema makes it cannot be read again by that schema" }) : error;
    });
    if (!isSame(encode(value), json)) return refuse("the schema makes something else of its own output, so that it cannot be read again");
    return { json, value };
  }
  const contentOf = ({ json }: Settled): Content => ({ json, ...(version !== 1 && { version }) });

  /** The value that is kept; `old` says whether it is of an older version. */
  async function valueIn(content: Content): Promise<{ value: unknown; old: boolean }> {
    const from = content["version"] ?? 1;
    const kept = decode(content["json"] as Json);
    if (from === version) return { value: await check(kept), old: false };
    const refuse = (message: string, cause?: unknown): never => {
      throw new KvValidationError(cell.full, [{ message, path: [] }], { ...details(), what: "cannot be brought to the version", ...(cause !== undefined && { cause }) });
    };
    if (typeof from !== "number" || from > version || migrate === undefined) return refuse(`what is kept is of version ${String(from)}, the schema of version ${version}`);
    let migrated: unknown;
    try {
      migrated = await migrate(kept, from);
    } catch (cause) {
      return refuse(`migrate() throws for version ${from}: see the cause`, cause);
    }
    return { value: migrated, old: true };
  }

  async function read(): Promise<undefined> {
    const entry = await cell.entry();
    if (entry === null) return undefined;
    const { value, old } = await valueIn(entry.value as Content);
    if (!old) return value as undefined;
    const settled = await settle(value);
    // Whoever has written meanwhile has written the new version; a client that takes no writes is asked again by the next reader.
    const write = { key: cell.key, value: contentOf(settled), expires: entry.expires === null ? null : new Date(entry.expires) };
    if (entry.version !== null) await cell.ground.store.commit([{ key: cell.key, version: entry.version }], [write]).catch(() => {});
    return settled.value as undefined;
  }

  return {
    ...fieldOf(cell, async () => (await cell.content()) !== null),
    read,
    async write(value: unknown, options) {
      const settled = await settle(value);
      await cell.put(contentOf(settled), options);
      return settled.value as never;
    },
    async update(change: (value: never) => unknown, options) {
      if (typeof change !== "function") throw new KvError("KV_INVALID_VALUE", "update() takes a function", { ...details(), key: cell.full });
      return cell.change<undefined>(async (content) => {
        if (content === null) return [undefined, undefined];
        const { value: kept, old } = await valueIn(content);
        const before = old ? (await settle(kept)).value : kept;
        // What the caller does to the value itself does not count.
        const patch = await change(decode(copyOf(encode(before))) as never);
        if (patch === undefined) return [undefined, before as undefined];
        const settled = await settle(isPlain(before) && isPlain(patch) ? { ...before, ...patch } : patch);
        return [contentOf(settled), settled.value as undefined];
      }, options);
    },
    watch: (options) => watchCell(cell, read, options, (value) => value === undefined ? undefined : encode(value)),
  };
}
