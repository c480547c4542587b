import type { Source } from "./clients/define.ts";
import { blame, KvError } from "./errors.ts";
import type { Adapter } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

type Method = (this: Adapter, ...args: unknown[]) => unknown;

/**
 * The same adapter, whose failures are all of our class. Two kinds of failures are caught elsewhere: those of `iterate` come while it
 * runs, and single reads and writes go through the store's `read` and `put`, where a function between would cost as much as the work.
 */
function guarded(adapter: Adapter, type: string): Adapter {
  const guard: { [name: string]: unknown } = { ...adapter };
  for (const [action, method] of Object.entries(adapter) as [string, Method][]) {
    if (["get", "set", "del", "iterate"].includes(action)) continue;
    const fail = (error: unknown): never => {
      throw blame(error, type, action);
    };
    guard[action] = (...args: unknown[]) => {
      try {
        const result = method.apply(adapter, args);
        return result instanceof Promise ? result.catch(fail) : result;
      } catch (error) {
        return fail(error);
      }
    };
  }
  return guard as unknown as Adapter;
}

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter while the connection is open: lets operations go on without waiting. */
  adapter: Adapter | null = null;
  /** Writes since the last sweep, by all stores over this connection. */
  writes: number = 0;
  /** How many writes are due to the next one. */
  sweepAt: number = SWEEP;
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
      throw blame(error, this.source.type, "connecting");
    }
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
