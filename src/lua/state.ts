import type { Bytes } from "../record/bytes.ts";

/**
 * The part of Lua's C interface that is used; a state is named by the address of a thread of it.
 */
export interface LuaApi {
  readonly module: {
    readonly HEAPU8: Uint8Array;
    _malloc(size: number): number;
    _free(pointer: number): void;
    addFunction(run: (thread: number) => number, signature: string): number;
    removeFunction(pointer: number): void;
    ccall(name: string, returns: "number", types: "number"[], values: number[]): unknown;
    getValue(pointer: number, type: "i32"): number;
  };
  lua_absindex(thread: number, index: number): number;
  lua_checkstack(thread: number, more: number): number;
  lua_createtable(thread: number, array: number, fields: number): void;
  lua_getfield(thread: number, index: number, name: string): number;
  lua_getmetatable(thread: number, index: number): number;
  lua_gettop(thread: number): number;
  lua_isinteger(thread: number, index: number): number;
  lua_next(thread: number, index: number): number;
  lua_pcallk(
    thread: number,
    values: number,
    results: number,
    handler: number,
    context: number,
    continuation: null,
  ): number;
  lua_pushboolean(thread: number, value: number): void;
  lua_pushcclosure(thread: number, pointer: number, upvalues: number): void;
  lua_pushinteger(thread: number, value: bigint): void;
  lua_pushnil(thread: number): void;
  lua_pushnumber(thread: number, value: number): void;
  lua_pushvalue(thread: number, index: number): void;
  lua_rawequal(thread: number, a: number, b: number): number;
  lua_rawgeti(thread: number, index: number, n: bigint): number;
  lua_rawset(thread: number, index: number): void;
  lua_rawseti(thread: number, index: number, n: bigint): void;
  lua_setfield(thread: number, index: number, name: string): void;
  lua_setmetatable(thread: number, index: number): number;
  lua_settop(thread: number, index: number): void;
  lua_toboolean(thread: number, index: number): number;
  lua_tonumberx(thread: number, index: number, isNumber: null): number;
  lua_topointer(thread: number, index: number): number;
  lua_type(thread: number, index: number): number;
  lua_typename(thread: number, type: number): string;
  luaL_ref(thread: number, table: number): number;
  luaL_unref(thread: number, table: number, reference: number): void;
}

/** A thread (coroutine) of wasmoon. */
export interface LuaThread {
  readonly address: number;
  readonly lua: LuaApi;
  newThread(): LuaThread;
  stateToThread(address: number): LuaThread;
  loadString(code: string, name?: string): void;
  pushValue(value: unknown): void;
  assertOk(result: number): void;
  run(values?: number): Promise<unknown>;
}

/**
 * An extension of wasmoon, which converts values between Lua and JavaScript, and learns when the
 * state is closed.
 */
interface LuaExtension {
  readonly name: string;
  isType(): boolean;
  getValue(): unknown;
  pushValue(): boolean;
  close(): void;
}

/** The main thread of a state. */
export interface LuaGlobal extends LuaThread {
  /** Takes a {@link LuaExtension}; never, since the class of wasmoon has members of its own. */
  registerTypeExtension(priority: number, extension: never): void;
}

/**
 * Calls back as soon as the state is closed. Only extensions learn that: this is one without a
 * type.
 */
export function onClose(lua: LuaGlobal, close: () => void): void {
  const extension: LuaExtension = {
    name: "anykv",
    isType: () => false,
    getValue: () => undefined,
    pushValue: () => false,
    close,
  };
  lua.registerTypeExtension(-1, extension as never);
}

/**
 * The used part of a Lua 5.4 state of wasmoon: the result of `new LuaFactory().createEngine()`.
 */
export interface LuaState {
  readonly global: LuaGlobal;
}

/** Lua's types by number. */
export const TYPE = { nil: 0, boolean: 1, number: 3, string: 4, table: 5, function: 6 } as const;

/** The pseudo-index of the registry, which Lua programs do not see. */
export const REGISTRY = -1_001_000;

/** A copy of the bytes of the string at an index. */
export function bytesAt({ module }: LuaApi, thread: number, index: number): Bytes {
  const length = module._malloc(4);
  try {
    const start = module.ccall(
      "lua_tolstring",
      "number",
      ["number", "number", "number"],
      [thread, index, length],
    ) as number;
    return module.HEAPU8.slice(start, start + module.getValue(length, "i32")) as Bytes;
  } finally {
    module._free(length);
  }
}

/** Pushes bytes as a string. */
export function pushBytes({ module }: LuaApi, thread: number, bytes: Uint8Array): void {
  const start = module._malloc(bytes.length);
  try {
    module.HEAPU8.set(bytes, start);
    // Not by the function of this name, which answers with a copy of the text.
    module.ccall(
      "lua_pushlstring",
      "number",
      ["number", "number", "number"],
      [thread, start, bytes.length],
    );
  } finally {
    module._free(start);
  }
}
