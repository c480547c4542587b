import type { Source } from "./clients/define.ts";
import { blame, KvError } from "./errors.ts";
import type { Adapter, KvRecord } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

type Method = (this: Adapter, ...args: unknown[]) => unknown;

/** The same adapter, whose failures are all of our class. Failures of `iterate` come while it runs, and are caught there. */
function guarded(adapter: Adapter, type: string): Adapter {
  const fail = (error: unknown, action: string, key: unknown): never => {
    throw blame(error, type, action, typeof key === "string" && key !== "" ? key : undefined);
  };
  const guard: { [name: string]: unknown } = {};
  for (const [action, method] of Object.entries(adapter) as [string, Method][]) {
    guard[action] = (a: unknown, b: unknown, c: unknown) => {
      try {
        const result = method.call(adapter, a, b, c);
        return result instanceof Promise ? result.catch((error) => fail(error, action, a)) : result;
      } catch (error) {
        return fail(error, action, a);
      }
    };
  }
  // The two that every program waits for have code of their own: engines cannot inline what one function calls for all.
  return Object.assign(guard as unknown as Adapter, {
    get(key: string) {
      try {
        const result = adapter.get(key);
        return result instanceof Promise ? result.catch((error) => fail(error, "get", key)) : result;
      } catch (error) {
        return fail(error, "get", key);
      }
    },
    set(key: string, record: KvRecord) {
      try {
        const result = adapter.set(key, record);
        return result instanceof Promise ? result.catch((error) => fail(error, "set", key)) : result;
      } catch (error) {
        return fail(error, "set", key);
      }
    },
  });
}

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter while the connection is open: lets operations go on without waiting. */
  adapter: Adapter | null = null;
  #writes = 0;
  readonly #start: () => Source | Promise<Source>;
  #opening: Promise<Adapter> | null = null;
  #closing: Promise<void> | null = null;

  constructor(source: Source, start: () => Source | Promise<Source> = () => source) {
    this.source = source;
    this.#start = start;
  }

  /** @throws {KvError} KV_CLOSED after `close()`; KV_CONNECTION when the client cannot be opened (the next call tries again). */
  open(): Promise<Adapter> {
    if (this.#closing !== null) return Promise.reject(new KvError("KV_CLOSED", "this store was closed: make a new one with kv()", { client: this.source.type }));
    return (this.#opening ??= this.#open());
  }

  async #open(): Promise<Adapter> {
    try {
      this.source = await this.#start();
      const adapter = guarded(await this.source.open(), this.source.type);
      if (this.#closing === null) this.adapter = adapter;
      return adapter;
    } catch (error) {
      this.#opening = null;
      throw blame(error, this.source.type, "connect");
    }
  }

  /** Counts writes; says when enough have passed for a sweep. */
  isSweepDue(writes: number): boolean {
    this.#writes += writes;
    if (this.#writes < SWEEP) return false;
    this.#writes = 0;
    return true;
  }

  /** Ends the connection; a second call waits for the first. */
  close(): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const opening = this.open();
    this.adapter = null;
    return (this.#closing = opening.then(
      (adapter) => adapter.close?.(),
      // What could not be opened needs no closing; its operations have said why.
      () => undefined,
    ));
  }
}
