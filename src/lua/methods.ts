import type { ListKeysOptions, Namespace, PutOptions } from "../namespace/types.ts";
import { checkOptions } from "../platform/options.ts";
import type { Json } from "../types.ts";
import { type LuaApi, pushBytes, TYPE } from "./state.ts";
import { pushText, stringAt, type Values } from "./value.ts";

/** Pushes results, and says how many. */
export type Push = (thread: number) => number;

/** A call under way: its arguments (from `first` on) are read before anything waits. */
export interface Call {
  readonly api: LuaApi;
  readonly values: Values;
  readonly thread: number;
  readonly first: number;
}

/**
 * The value of a JSON text.
 *
 * @throws for another text.
 */
export function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // Not the engine's message, which shows some of the text.
    throw new Error("this is not JSON");
  }
}

function keyOf({ api, thread, first }: Call): string {
  const type = Math.max(api.lua_type(thread, first), TYPE.nil);
  if (type !== TYPE.string)
    throw new Error(
      `a key is a string, not ${type === TYPE.nil ? "nil" : `a ${api.lua_typename(thread, type)}`}`,
    );
  const key = stringAt(api, thread, first);
  if (typeof key !== "string") throw new Error("a key is a string of UTF-8");
  return key;
}

function optionsOf(
  { values, thread }: Call,
  index: number,
  known: readonly string[],
  where: string,
): { readonly [name: string]: Json } {
  const options = values.read(thread, index, "options");
  if (options === null) return {};
  if (typeof options !== "object" || Array.isArray(options))
    throw new Error("options are a table with names, such as { limit = 10 }");
  // With the rules of Workers KV a namespace ignores unknown options. A Lua program never means
  // that.
  checkOptions(options, known, where);
  return options;
}

interface Reading {
  /** The options of a read: an absent key is `null` then, and a stored `null` is not. */
  readonly as: "text" | "arrayBuffer";
  push(to: number, value: string | ArrayBuffer): void;
}

function readingOf({ api, values, thread, first }: Call): Reading {
  const type = values.read(thread, first + 1, "type") ?? "text";
  if (type === "arrayBuffer")
    return {
      as: "arrayBuffer",
      push: (to, value) => pushBytes(api, to, new Uint8Array(value as ArrayBuffer)),
    };
  if (type === "json")
    return { as: "text", push: (to, value) => values.push(to, parse(value as string)) };
  if (type === "text")
    return { as: "text", push: (to, value) => pushText(api, to, value as string) };
  throw new Error(`unknown type ${JSON.stringify(type)}: it is "text", "json" or "arrayBuffer"`);
}

/** A string as it is, a table as JSON, a number or boolean as its text. */
function contentOf({ api, values, thread, first }: Call): string | Uint8Array {
  const index = first + 1;
  const type = api.lua_type(thread, index);
  if (type === TYPE.string) return stringAt(api, thread, index);
  if (type <= TYPE.nil) throw new Error("nil cannot be stored: kv:delete(key) deletes");
  return JSON.stringify(values.read(thread, index, "value"));
}

/**
 * The methods of a namespace in Lua. Each reads its arguments at once, and pushes its results when
 * they are there.
 */
export const METHODS: {
  readonly [name: string]: (namespace: Namespace, call: Call) => Promise<Push>;
} = {
  async get(namespace, call) {
    const [key, { as, push }] = [keyOf(call), readingOf(call)];
    const value: string | ArrayBuffer | null = await namespace.get(key, as as "text");
    return (to) => {
      if (value === null) call.api.lua_pushnil(to);
      else push(to, value);
      return 1;
    };
  },

  async getWithMetadata(namespace, call) {
    const [key, { as, push }] = [keyOf(call), readingOf(call)];
    const found = await namespace.getWithMetadata(key, as as "text");
    const value: string | ArrayBuffer | null = found.value;
    return (to) => {
      if (value === null) {
        call.api.lua_pushnil(to);
        call.api.lua_pushnil(to);
      } else {
        push(to, value);
        call.values.push(to, { expiration: found.expiration, metadata: found.metadata as Json });
      }
      return 2;
    };
  },

  async put(namespace, call) {
    await namespace.put(
      keyOf(call),
      contentOf(call),
      optionsOf(
        call,
        call.first + 2,
        ["expiration", "expirationTtl", "metadata"],
        "kv:put()",
      ) as PutOptions,
    );
    return () => 0;
  },

  async delete(namespace, call) {
    await namespace.delete(keyOf(call));
    return () => 0;
  },

  async list(namespace, call) {
    const { keys, list_complete, cursor } = await namespace.list(
      optionsOf(call, call.first, ["prefix", "limit", "cursor"], "kv:list()") as ListKeysOptions,
    );
    return (to) => {
      call.values.push(to, {
        keys: keys as unknown as Json,
        list_complete,
        cursor: cursor ?? null,
      });
      return 1;
    };
  },
};
