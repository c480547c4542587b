import type { Source } from "./clients/define.ts";
import { blame, KvError } from "./errors.ts";
import { within } from "./patience.ts";
import type { Adapter } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

/** An open adapter as operations see it: its failures are errors of ours, and its answers come in time or are failures. */
export interface Guarded extends Adapter {
  /** The same for work that takes several calls. */
  wait<T>(work: Promise<T>): Promise<T>;
}

type Method = (this: Adapter, ...args: unknown[]) => unknown;

/**
 * The same adapter, whose failures are all of our class and whose answers come in time. Single reads and writes are left as they are: they go through
 * the store's `read` and `put`, where a function between would cost as much as the work. What `iterate` yields is waited for where it is gathered.
 */
function guarded(adapter: Adapter, type: string, timeout: number): Guarded {
  const failing = (action: string) => (error: unknown): never => {
    throw blame(error, type, action);
  };
  const guard: { [name: string]: unknown } = { ...adapter, wait: (work: Promise<unknown>) => within(work, timeout).catch(failing("listing")) };
  for (const [action, method] of Object.entries(adapter) as [string, Method][]) {
    if (["get", "set", "del", "iterate"].includes(action)) continue;
    const fail = failing(action);
    guard[action] = (...args: unknown[]) => {
      try {
        const result = method.apply(adapter, args);
        return result instanceof Promise ? within(result, timeout).catch(fail) : result;
      } catch (error) {
        return fail(error);
      }
    };
  }
  return guard as unknown as Guarded;
}

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter itself while the connection is open: lets single reads and writes go on without waiting. */
  adapter: Adapter | null = null;
  /** Writes since the last sweep, by all stores over this connection. */
  writes: number = 0;
  /** How many writes are due to the next one. */
  sweepAt: number = SWEEP;
  readonly #start: () => Source | Promise<Source>;
  #opening: Promise<Adapter> | null = null;
  // Nearly always one: by the timeout of the stores that use them.
  readonly #guards: Map<number, Guarded> = new Map();
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
      const adapter = await this.source.open();
      if (this.#closing === null) this.adapter = adapter;
      return adapter;
    } catch (error) {
      this.#opening = null;
      throw blame(error, this.source.type, "connecting");
    }
  }

  /** The adapter itself, if it opens within so many milliseconds. The same errors as `open()`. */
  opened(timeout: number): Promise<Adapter> {
    return within(this.open(), timeout).catch((error) => {
      throw blame(error, this.source.type, "connecting");
    });
  }

  /** The adapter whose answers come within so many milliseconds. The same errors as `open()`. */
  guard(timeout: number): Guarded | Promise<Guarded> {
    return (
      this.#guards.get(timeout) ??
      this.opened(timeout).then((adapter) => {
        const made = guarded(adapter, this.source.type, timeout);
        if (this.adapter !== null) this.#guards.set(timeout, made);
        return made;
      })
    );
  }

  /** Ends the connection; a second call waits for the first. */
  close(timeout: number): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const opening = this.open();
    this.adapter = null;
    this.#guards.clear();
    const closing = opening.then(
      (adapter) => adapter.close?.(),
      // What could not be opened needs no closing; its operations have said why.
      () => undefined,
    );
    return (this.#closing = within(closing, timeout).catch((error) => {
      throw blame(error, this.source.type, "close");
    }));
  }
}
