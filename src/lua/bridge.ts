import { KvError } from "../errors.ts";
import type { Namespace } from "../namespace/types.ts";
import { METHODS, parse, type Push } from "./methods.ts";
import { type LuaApi, type LuaGlobal, onClose, TYPE } from "./state.ts";
import { NotStorable, pushText, stringAt, type Values } from "./value.ts";

/** Where namespaces come from: `KV` of `anykv/namespace`, or what its `createKV()` returns. */
export interface Namespaces {
  namespace(name: string): Namespace;
}

/**
 * The functions that the prelude is given. Most answer a program with `true` and results, or with
 * `false` and a message.
 */
export class Bridge {
  readonly #lua: LuaGlobal;
  readonly #api: LuaApi;
  readonly #values: Values;
  readonly #kv: Namespaces;
  readonly #opened: Namespace[] = [];
  /** Operations by their tickets: `null` while they are under way. */
  readonly #tickets = new Map<number, Push | null>();
  #last = 0;
  readonly #pointers: number[] = [];
  /** Who is to be told that the state was closed. */
  readonly #waiting = new Set<(error: KvError) => void>();
  /** Whether the state was closed: other code uses its memory by then. */
  isClosed = false;

  constructor(lua: LuaGlobal, values: Values, kv: Namespaces) {
    this.#lua = lua;
    this.#api = lua.lua;
    this.#values = values;
    this.#kv = kv;
    onClose(lua, () => this.#close());
  }

  /** @throws {KvError} KV_CLOSED after the state was closed. */
  check(): void {
    if (this.isClosed) throw closed();
  }

  /** The result of the work, while the state is open. */
  async whileOpen<T>(work: Promise<T>): Promise<T> {
    let abandon!: (error: KvError) => void;
    const closing = new Promise<never>((_resolve, reject) => (abandon = reject));
    this.#waiting.add(abandon);
    try {
      return await Promise.race([work, closing]);
    } finally {
      this.#waiting.delete(abandon);
    }
  }

  #close(): void {
    this.isClosed = true;
    for (const pointer of this.#pointers) this.#api.module.removeFunction(pointer);
    for (const abandon of this.#waiting) abandon(closed());
  }

  /** Pushes the functions in the order in which the prelude takes them, and says how many. */
  push(thread: number): number {
    const functions: readonly Push[] = [
      (caller) => this.#open(caller),
      (caller) => this.#begin(caller),
      (caller) => this.#finish(caller),
      (caller) => this.#encode(caller),
      (caller) => this.#decode(caller),
    ];
    for (const run of functions) {
      const answer = (caller: number): number => {
        try {
          return run(caller);
        } catch (error) {
          // Lua's own errors (no memory) go through as this.
          if (error === Infinity) throw error;
          return this.#refuse(caller, error);
        }
      };
      const pointer = this.#api.module.addFunction(answer, "ii");
      this.#pointers.push(pointer);
      this.#api.lua_pushcclosure(thread, pointer, 0);
    }
    return functions.length;
  }

  #refuse(thread: number, error: unknown): number {
    const message = error instanceof Error ? error.message : String(error);
    this.#api.lua_pushboolean(thread, 0);
    pushText(
      this.#api,
      thread,
      error instanceof NotStorable ? `this cannot be stored: ${message}` : message,
    );
    return 2;
  }

  /** `(name)` → the number of a namespace. */
  #open(thread: number): number {
    const name = stringAt(this.#api, thread, 1);
    if (typeof name !== "string") throw new Error("the name of a namespace is a string of UTF-8");
    const number = this.#opened.push(this.#kv.namespace(name));
    this.#api.lua_pushinteger(thread, BigInt(number));
    return 1;
  }

  /** `(number, method, ...)` → a ticket, and the promise that whoever runs the program awaits. */
  #begin(thread: number): number {
    const namespace = this.#opened[this.#api.lua_tonumberx(thread, 1, null) - 1]!;
    const method = METHODS[stringAt(this.#api, thread, 2) as string]!;
    const ticket = ++this.#last;
    this.#tickets.set(ticket, null);
    const done = method(namespace, { api: this.#api, values: this.#values, thread, first: 3 }).then(
      (push) => this.#ended(ticket, (to) => (this.#api.lua_pushboolean(to, 1), 1 + push(to))),
      (error: unknown) => this.#ended(ticket, (to) => this.#refuse(to, error)),
    );
    this.#api.lua_pushinteger(thread, BigInt(ticket));
    this.#lua.stateToThread(thread).pushValue(done);
    return 2;
  }

  #ended(ticket: number, push: Push): Promise<void> | undefined {
    this.#tickets.set(ticket, push);
    // Never after the state was closed: the program would go on in memory that belongs to others.
    return this.isClosed ? new Promise(() => {}) : undefined;
  }

  /** `(ticket)` → nothing while it is pending, then its result. */
  #finish(thread: number): number {
    const ticket = this.#api.lua_tonumberx(thread, 1, null);
    const push = this.#tickets.get(ticket);
    if (!push) return 0;
    this.#tickets.delete(ticket);
    return push(thread);
  }

  #encode(thread: number): number {
    const text = JSON.stringify(this.#values.read(thread, 1, "value"));
    this.#api.lua_pushboolean(thread, 1);
    pushText(this.#api, thread, text);
    return 2;
  }

  #decode(thread: number): number {
    const text =
      this.#api.lua_type(thread, 1) === TYPE.string ? stringAt(this.#api, thread, 1) : null;
    if (typeof text !== "string") throw new Error("json.decode takes a string of UTF-8");
    const value = parse(text);
    this.#api.lua_pushboolean(thread, 1);
    this.#values.push(thread, value);
    return 2;
  }
}

const closed = (): KvError => new KvError("KV_CLOSED", "this Lua state was closed");
