import type { Bytes } from "../record/bytes.ts";
import type { Json } from "../types.ts";
import { bytesAt, type LuaApi, pushBytes, REGISTRY, TYPE } from "./state.ts";

/** Deeper tables are refused, as by stores: engines overflow their stacks a little deeper. */
const DEPTH = 1000;

/** Where the registry has the metatable of arrays. */
const ARRAY = "anykv.array";

const utf8 = new TextEncoder();
// ignoreBOM means to keep it.
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value that JSON cannot keep, and its path: the message becomes a Lua error. */
export class NotStorable extends Error {}

/** The text of the string at an index, or its bytes where they are no UTF-8. */
export function stringAt(api: LuaApi, thread: number, index: number): string | Bytes {
  const bytes = bytesAt(api, thread, index);
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

/** Pushes a text as UTF-8. */
export function pushText(api: LuaApi, thread: number, text: string): void {
  pushBytes(api, thread, utf8.encode(text));
}

/**
 * Between Lua's values and JSON. Tables that were JSON arrays are known by their metatable, so that
 * empty ones stay arrays.
 */
export class Values {
  readonly #api: LuaApi;
  readonly #array: number;

  constructor(api: LuaApi, thread: number) {
    this.#api = api;
    // One in a state, however many of these there are.
    if (api.lua_getfield(thread, REGISTRY, ARRAY) !== TYPE.table) {
      api.lua_createtable(thread, 0, 0);
      api.lua_pushvalue(thread, -1);
      api.lua_setfield(thread, REGISTRY, ARRAY);
    }
    this.#array = api.luaL_ref(thread, REGISTRY);
  }

  /** Pushes the metatable of arrays. */
  pushArrayType(thread: number): void {
    this.#api.lua_rawgeti(thread, REGISTRY, BigInt(this.#array));
  }

  /**
   * The JSON of the value at an index; `nil` is `null`.
   *
   * @throws {NotStorable} for functions, userdata, threads, cycles, numbers that JSON does not keep
   * and texts that are no UTF-8, naming the place.
   */
  read(thread: number, index: number, path: string): Json {
    return this.#read(thread, this.#api.lua_absindex(thread, index), path, new Set());
  }

  #read(thread: number, index: number, path: string, above: Set<number>): Json {
    const api = this.#api;
    const type = api.lua_type(thread, index);
    if (type <= TYPE.nil) return null;
    if (type === TYPE.boolean) return api.lua_toboolean(thread, index) !== 0;
    if (type === TYPE.number) return this.#number(thread, index, path);
    if (type === TYPE.string) {
      const text = stringAt(api, thread, index);
      if (typeof text !== "string") throw new NotStorable(`${path}: a string that is not UTF-8`);
      return text;
    }
    if (type !== TYPE.table) throw new NotStorable(`${path}: a ${api.lua_typename(thread, type)}`);
    const pointer = api.lua_topointer(thread, index);
    if (above.has(pointer)) throw new NotStorable(`${path}: a table inside itself`);
    if (above.size >= DEPTH || api.lua_checkstack(thread, 8) === 0)
      throw new NotStorable(`${path.slice(0, 60)}…: tables more than ${DEPTH} deep`);
    above.add(pointer);
    const value = this.#table(thread, index, path, above);
    above.delete(pointer);
    return value;
  }

  #number(thread: number, index: number, path: string): number {
    const value = this.#api.lua_tonumberx(thread, index, null);
    const isExact = this.#api.lua_isinteger(thread, index) === 0 || Number.isSafeInteger(value);
    if (!isExact) throw new NotStorable(`${path}: an integer beyond 2^53`);
    if (!Number.isFinite(value))
      throw new NotStorable(`${path}: ${Number.isNaN(value) ? "nan" : "inf"}`);
    return value;
  }

  #table(thread: number, index: number, path: string, above: Set<number>): Json {
    const api = this.#api;
    const items: [number, Json][] = [];
    const fields = new Map<string, Json>();
    let last = 0;
    api.lua_pushnil(thread);
    while (api.lua_next(thread, index) !== 0) {
      const [key, value] = [api.lua_gettop(thread) - 1, api.lua_gettop(thread)];
      const isString = api.lua_type(thread, key) === TYPE.string;
      // Converting a key in place would confuse lua_next: only strings are read as such.
      const name = isString
        ? stringAt(api, thread, key)
        : api.lua_type(thread, key) === TYPE.number
          ? this.#number(thread, key, `a key of ${path}`)
          : null;
      if (typeof name !== "string" && typeof name !== "number") {
        const type = api.lua_typename(thread, api.lua_type(thread, key));
        throw new NotStorable(`${path}: a key that is ${isString ? "not UTF-8" : `a ${type}`}`);
      }
      const item = this.#read(
        thread,
        value,
        typeof name === "string" ? `${path}.${name}` : `${path}[${name}]`,
        above,
      );
      if (typeof name === "number" && Number.isInteger(name) && name >= 1)
        last = Math.max(last, name);
      else last = Number.NaN;
      if (typeof name === "number") items.push([name, item]);
      if (fields.has(`${name}`))
        throw new NotStorable(`${path}: both ${name} and "${name}" as keys`);
      fields.set(`${name}`, item);
      api.lua_settop(thread, key);
    }
    if (fields.size === 0) return this.#isArray(thread, index) ? [] : {};
    // A hole is null, but a table that is mostly holes is a map by numbers.
    if (last <= 2 * fields.size) {
      const array: Json[] = Array.from({ length: last }, () => null);
      for (const [position, item] of items) array[position - 1] = item;
      return array;
    }
    return Object.fromEntries(fields);
  }

  #isArray(thread: number, index: number): boolean {
    const api = this.#api;
    if (api.lua_getmetatable(thread, index) === 0) return false;
    this.pushArrayType(thread);
    const isArray = api.lua_rawequal(thread, -1, -2) !== 0;
    api.lua_settop(thread, -3);
    return isArray;
  }

  /**
   * Pushes JSON: `null` is `nil`, and in an array a hole.
   *
   * @throws for a value that is too deep.
   */
  push(thread: number, value: Json, depth = 0): void {
    const api = this.#api;
    if (depth > DEPTH || api.lua_checkstack(thread, 8) === 0)
      throw new Error(`this JSON is more than ${DEPTH} deep`);
    if (value === null) api.lua_pushnil(thread);
    else if (typeof value === "boolean") api.lua_pushboolean(thread, Number(value));
    else if (typeof value === "string") pushText(api, thread, value);
    else if (Number.isSafeInteger(value)) api.lua_pushinteger(thread, BigInt(value as number));
    else if (typeof value === "number") api.lua_pushnumber(thread, value);
    else if (Array.isArray(value)) this.#pushArray(thread, value, depth + 1);
    else this.#pushFields(thread, Object.entries(value), depth + 1);
  }

  #pushArray(thread: number, items: readonly Json[], depth: number): void {
    const api = this.#api;
    api.lua_createtable(thread, items.length, 0);
    items.forEach((item, i) => {
      this.push(thread, item, depth);
      api.lua_rawseti(thread, -2, BigInt(i + 1));
    });
    this.pushArrayType(thread);
    api.lua_setmetatable(thread, -2);
  }

  #pushFields(thread: number, fields: readonly (readonly [string, Json])[], depth: number): void {
    const api = this.#api;
    api.lua_createtable(thread, 0, fields.length);
    for (const [name, item] of fields) {
      pushText(api, thread, name);
      this.push(thread, item, depth);
      api.lua_rawset(thread, -3);
    }
  }
}
