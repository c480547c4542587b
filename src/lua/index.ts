import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import { Bridge, type Namespaces } from "./bridge.ts";
import { PRELUDE } from "./prelude.ts";
import { type LuaApi, type LuaState, REGISTRY } from "./state.ts";
import { Values } from "./value.ts";
import { hasMethods } from "../platform/shape.ts";

export type { Namespaces } from "./bridge.ts";
export type { LuaState } from "./state.ts";

/** The result of {@link installKV}. */
export interface InstalledKV {
  /**
   * Calls a Lua function by its global name (with dots: `"actions.default"`) and waits for it: a
   * function that is called as a JavaScript one (`lua.global.get("load")()`) cannot wait, and so
   * cannot use a namespace. Arguments and results are JSON; of several results it is an array.
   *
   * @throws {KvError} KV_INVALID_VALUE for a name that is no function and for arguments that are no
   * JSON, KV_CLOSED when the state is closed, also meanwhile. An error of the function is an
   * `Error`.
   */
  call<Result = Json>(name: string, ...values: unknown[]): Promise<Result>;
}

/**
 * Gives a Lua 5.4 state of wasmoon the globals `KV` and `json`. Programs run by `lua.doString()`
 * use them as if nothing had to wait:
 *
 * `KV.namespace(name)` with `kv:get(key, type?)`, `kv:getWithMetadata(key, type?)` (two results),
 * `kv:put(key, value, options?)`, `kv:delete(key)` and `kv:list(options?)`. A missing value is
 * `nil`; tables are stored as JSON; a value that cannot be stored, and any rejection of a
 * namespace, is a Lua error. `json.encode`, `json.decode`, and `json.array` for a table that is an
 * array also when it is empty. A global `json` that is there already stays.
 *
 * The API is that of Luat's key-value store.
 *
 * @param lua the result of `new LuaFactory().createEngine()` of wasmoon.
 * @param kv where namespaces come from: `KV` or `createKV()` of `anykv/namespace`.
 * @throws {KvError} KV_INVALID_CLIENT for something else than a state of wasmoon and namespaces,
 * KV_NOT_SUPPORTED for wasmoon before 1.16.
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
  const { global } = Object(lua) as LuaState;
  const api = global?.lua;
  if (typeof api?.lua_pushcclosure !== "function")
    throw new KvError(
      "KV_INVALID_CLIENT",
      "this is no Lua state of wasmoon: pass what createEngine() resolves to",
    );
  if (!hasMethods(kv, "namespace"))
    throw new KvError(
      "KV_INVALID_CLIENT",
      "these are no namespaces: pass KV of anykv/namespace, or what createKV() answers",
    );
  const thread = global.address;
  const top = api.lua_gettop(thread);
  checkIntegers(api, thread);
  const values = new Values(api, thread);
  const bridge = new Bridge(global, values, kv);
  global.loadString(PRELUDE, "=anykv");
  values.pushArrayType(thread);
  const functions = bridge.push(thread);
  global.assertOk(api.lua_pcallk(thread, 1 + functions, 1, 0, 0, null));
  const caller = api.luaL_ref(thread, REGISTRY);
  api.lua_settop(thread, top);

  async function call(name: string, ...args: unknown[]): Promise<Json> {
    bridge.check();
    const parts = String(name).split(".");
    const given = args.map((value, i) =>
      checkedCopy(value, `argument ${i + 1}`, "functions of Lua are passed JSON"),
    );
    const own = global.newThread();
    // Off the stack of the state, where calls that end in another order would mix them up.
    const anchor = api.luaL_ref(thread, REGISTRY);
    try {
      api.lua_rawgeti(own.address, REGISTRY, BigInt(caller));
      for (const value of [parts.length, ...parts, ...given]) values.push(own.address, value);
      await bridge.whileOpen(own.run(1 + parts.length + given.length));
      bridge.check();
      if (api.lua_toboolean(own.address, 1) === 0)
        throw new KvError(
          "KV_INVALID_VALUE",
          `the Lua program has no function ${JSON.stringify(String(name))}`,
        );
      const results: Json[] = [];
      for (let index = 2; index <= api.lua_gettop(own.address); index++)
        results.push(values.read(own.address, index, `result ${index - 1}`));
      return results.length > 1 ? results : (results[0] ?? null);
    } finally {
      if (!bridge.isClosed) api.luaL_unref(thread, REGISTRY, anchor);
    }
  }
  return { call: call as InstalledKV["call"] };
}

/** Checks that integers of Lua are bigints, as they are since wasmoon 1.16. */
function checkIntegers(api: LuaApi, thread: number): void {
  try {
    api.lua_pushinteger(thread, 0n);
  } catch (cause) {
    const message = "anykv/lua needs wasmoon 1.16 or later, but an older version is installed";
    throw new KvError("KV_NOT_SUPPORTED", `${message}: npm install wasmoon@latest`, { cause });
  }
}
