import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import { Bridge, type Namespaces } from "./bridge.ts";
import { PRELUDE } from "./prelude.ts";
import { type LuaState, REGISTRY, TYPE } from "./state.ts";
import { Values } from "./value.ts";

export type { Namespaces } from "./bridge.ts";
export type { LuaState } from "./state.ts";

/** What {@link installKV} gives back. */
export interface InstalledKV {
  /**
   * Calls a Lua function by its global name (with dots: `"actions.default"`) and waits for it: a function that is called as a JavaScript one
   * (`lua.global.get("load")()`) cannot wait, and so cannot use a namespace. Arguments and results are JSON; of several results it is an array.
   *
   * @throws {KvError} KV_INVALID_VALUE for a name that is no function. What the function raises is an `Error`.
   */
  call(name: string, ...values: Json[]): Promise<Json>;
}

/**
 * Gives a Lua 5.4 state of wasmoon the globals `KV` and `json`. Programs run by `lua.doString()` use them as if nothing had to wait:
 *
 * `KV.namespace(name)` with `kv:get(key, type?)`, `kv:getWithMetadata(key, type?)` (two results), `kv:put(key, value, options?)`, `kv:delete(key)` and
 * `kv:list(options?)`. What is missing is `nil`; tables are stored as JSON; what cannot be stored, and whatever a namespace refuses, is a Lua error.
 * `json.encode`, `json.decode`, and `json.array` for a table that is an array also when it is empty. A global `json` that is there already stays.
 *
 * The API is that of Luat's key-value store.
 *
 * @param lua what `new LuaFactory().createEngine()` of wasmoon resolves to.
 * @param kv where namespaces come from: `KV` or `createKV()` of `anykv/namespace`.
 * @throws {KvError} KV_INVALID_CLIENT for something else than a state of wasmoon.
 * @example
 * import kv from "anykv";
 * import { installKV } from "anykv/lua";
 * import { createKV } from "anykv/namespace";
 * import { LuaFactory } from "wasmoon";
 *
 * const lua = await new LuaFactory().createEngine();
 * const all = createKV({ store: kv(new Map()) });
 * installKV(lua, all);
 * console.log(await lua.doString(`
 *   local users = KV.namespace("users")
 *   users:put("123", { name = "Alice" })
 *   return users:get("123", "json").name
 * `)); // "Alice"
 * console.log(await all.namespace("users").get("123", "json")); // { name: "Alice" }
 */
export function installKV(lua: LuaState, kv: Namespaces): InstalledKV {
  const { global } = lua;
  const api = global?.lua;
  if (typeof api?.lua_pushcclosure !== "function") throw new KvError("KV_INVALID_CLIENT", "this is no Lua state of wasmoon: pass what createEngine() resolves to");
  const thread = global.address;
  const top = api.lua_gettop(thread);
  // The metatable of arrays: known to both sides.
  api.lua_createtable(thread, 0, 0);
  api.lua_pushvalue(thread, -1);
  const values = new Values(api, thread);
  global.loadString(PRELUDE, "=anykv");
  api.lua_pushvalue(thread, -2);
  const functions = new Bridge(global, values, kv).push(thread);
  global.assertOk(api.lua_pcallk(thread, 1 + functions, 0, 0, 0, null));
  api.lua_settop(thread, top);

  async function call(name: string, ...args: Json[]): Promise<Json> {
    const own = global.newThread();
    // Off the stack of the state, where calls that end in another order would mix them up.
    const anchor = api.luaL_ref(thread, REGISTRY);
    try {
      const [first, ...further] = name.split(".");
      let type = api.lua_getglobal(own.address, first!);
      for (const part of further) type = type === TYPE.table ? api.lua_getfield(own.address, -1, part) : TYPE.nil;
      if (type !== TYPE.function) throw new KvError("KV_INVALID_VALUE", `the Lua program has no function ${JSON.stringify(name)}`);
      const base = api.lua_gettop(own.address) - 1;
      for (const value of args) values.push(own.address, value);
      await own.run(args.length);
      const results: Json[] = [];
      for (let index = base + 1; index <= api.lua_gettop(own.address); index++) results.push(values.read(own.address, index, `result ${index - base}`));
      return results.length > 1 ? results : (results[0] ?? null);
    } finally {
      api.luaL_unref(thread, REGISTRY, anchor);
    }
  }
  return { call };
}

