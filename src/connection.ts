import type { Source } from "./clients/define.ts";
import { blame, isKvError, KvError } from "./errors.ts";
import { type Order, orderOf } from "./order.ts";
import { type Busy, within } from "./patience.ts";
import type { Adapter } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection implements Busy {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter itself while the connection is open: lets single reads and writes go on without waiting. */
  adapter: Adapter | null = null;
  /** The adapter once it was opened, also after `close()`: for operations that were called before. */
  opened: Adapter | null = null;
  /** The call order of operations on this client. */
  order: Order;
  /** Writes since the last sweep, by all stores over this connection. */
  writes: number = 0;
  /** How many writes are due to the next one. */
  sweepAt: number = SWEEP;
  /** How many requests to the client are under way, and who waits for none to be. */
  running: number = 0;
  idle: (() => void) | undefined;
  readonly #start: () => Source | Promise<Source>;
  #opening: Promise<Adapter> | null = null;
  #closing: Promise<void> | null = null;

  constructor(source: Source, start: () => Source | Promise<Source> = () => source) {
    this.source = source;
    this.order = orderOf(source.client);
    this.#start = start;
  }

  /**
   * The adapter, or a promise of it within so many milliseconds. A client that opens at once needs no promise.
   *
   * @throws {KvError} (the promise) KV_CLOSED after `close()`; KV_CONNECTION when the client cannot be opened (the next call tries again).
   */
  ready(timeout: number): Adapter | Promise<Adapter> {
    if (this.adapter !== null) return this.adapter;
    const opening = this.#closing === null ? (this.#opening ?? this.#open()) : Promise.reject(closed(this.source.type));
    if (!(opening instanceof Promise)) return opening;
    return within(opening, timeout, this).catch((error) => this.refuse(error, "connecting"));
  }

  #open(): Adapter | Promise<Adapter> {
    try {
      const source = this.#start();
      const opening = source instanceof Promise ? source.then((found) => this.#use(found)) : this.#use(source);
      return opening instanceof Promise ? this.#opened(opening) : this.#ready(opening);
    } catch (error) {
      return Promise.reject(blame(error, this.source.type, "connecting", undefined, this.source.address));
    }
  }

  #use(source: Source): Adapter | Promise<Adapter> {
    this.source = source;
    return source.open();
  }

  #opened(opening: Promise<Adapter>): Promise<Adapter> {
    this.#opening = opening.then(
      (adapter) => this.#ready(adapter),
      (error) => {
        this.#opening = null;
        throw blame(error, this.source.type, "connecting", undefined, this.source.address);
      },
    );
    this.order.hold(this.#opening);
    return this.#opening;
  }

  #ready(adapter: Adapter): Adapter {
    // A promise of a client has an order of its own until then.
    this.order = this.source.order ?? orderOf(this.source.client, this.order);
    if (this.#closing === null) this.adapter = adapter;
    return (this.opened = adapter);
  }

  /** Counts an operation as under way until it is over. */
  count<T>(operation: Promise<T>): Promise<T> {
    this.running++;
    const end = (): void => {
      if (--this.running === 0) this.idle?.();
    };
    operation.then(end, end);
    return operation;
  }

  /** Throws the error as users get it: what the client says of a store that was closed meanwhile only means that it was. */
  refuse(error: unknown, action: string, key?: string): never {
    const { type, address } = this.source;
    throw this.#closing === null || isKvError(error) ? blame(error, type, action, key, address) : closed(type, error);
  }

  /** Ends the connection when what is under way has ended; a second call waits for the first. */
  close(timeout: number): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const closing = this.#close(this.adapter ?? this.#opening, timeout);
    this.adapter = null;
    return (this.#closing = within(closing, timeout).catch((error) => {
      throw blame(error, this.source.type, "close");
    }));
  }

  async #close(opening: Adapter | Promise<Adapter> | null, timeout: number): Promise<void> {
    // What was never used need not be opened for that.
    if (opening === null && (await this.#end())) return;
    let adapter: Adapter;
    try {
      adapter = await (opening ?? this.#open());
    } catch {
      // Its operations have said why it could not be opened.
      await this.#end();
      return;
    }
    if (this.running > 0) await this.#drained(Math.min(timeout / 2, 5000));
    await adapter.close?.();
  }

  /** Until nothing is under way, or so many milliseconds have passed. */
  #drained(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends the client without an adapter. Resolves to whether that could be done. */
  async #end(): Promise<boolean> {
    try {
      return (await (await this.#start()).close?.()) ?? false;
    } catch {
      // There is no client, or it has ended.
      return true;
    }
  }
}

const closed = (client: string, cause?: unknown): KvError =>
  new KvError("KV_CLOSED", "this store was closed: make a new one with kv()", { client, ...(cause === undefined ? {} : { cause }) });
