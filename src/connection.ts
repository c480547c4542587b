import type { Source } from "./clients/define.ts";
import { blame, isKvError, KvError } from "./errors.ts";
import { type Order, orderOf } from "./order.ts";
import { load } from "./load.ts";
import type { Busy } from "./patience.ts";
import type { Adapter } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection implements Busy {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter once it was opened. */
  adapter: Adapter | null = null;
  /** The same while the connection is open, where it answers at once. */
  quick: Adapter | null = null;
  /** The call order of operations on this client. */
  order: Order;
  /** Writes since the last sweep, by all stores over this connection. */
  writes: number = 0;
  /** How many writes are due to the next one. */
  sweepAt: number = SWEEP;
  /** How many requests to the client are under way, and who waits for none to be. */
  running: number = 0;
  idle: (() => void) | undefined;
  /** The opening that is under way, and the closing: both are shared by all who ask for them. */
  opening: Promise<Adapter> | null = null;
  closing: Promise<void> | null = null;
  readonly start: () => Source | Promise<Source>;

  constructor(source: Source, start: () => Source | Promise<Source> = () => source) {
    this.source = source;
    this.order = orderOf(source.client);
    this.start = start;
  }

  /**
   * The adapter, or a promise of it. A client that answers at once is opened at once.
   *
   * @throws {KvError} (the promise) KV_CLOSED after `close()`; KV_CONNECTION when the client cannot be opened (the next call tries again).
   */
  open(): Adapter | Promise<Adapter> {
    if (this.closing !== null) return Promise.reject(this.closed());
    return this.adapter ?? this.opening ?? this.#open();
  }

  /** The adapter of a client that answers at once; `null` for others, and where the opening fails. */
  openQuick(): Adapter | null {
    if (!this.source.answersAtOnce || this.closing !== null) return null;
    const opening = this.open();
    // Whoever opens it again is told why.
    if (opening instanceof Promise) opening.catch(() => {});
    return this.quick;
  }

  #open(): Adapter | Promise<Adapter> {
    try {
      const source = this.start();
      const opened = source instanceof Promise || !source.answersAtOnce ? undefined : source.open();
      if (opened !== undefined && !(opened instanceof Promise)) return (this.quick = this.#ready(opened));
      // Adapters that take time need the rest of the code, which is loaded meanwhile.
      const opening = opened ?? (async () => this.#use(await source))();
      this.opening = Promise.all([opening, load()]).then(
        ([adapter]) => this.#ready(adapter),
        (error) => {
          this.opening = null;
          throw blame(error, this.source.type, "connecting", undefined, this.source.address);
        },
      );
      this.order.hold(this.opening);
      return this.opening;
    } catch (error) {
      return Promise.reject(blame(error, this.source.type, "connecting", undefined, this.source.address));
    }
  }

  #use(source: Source): Adapter | Promise<Adapter> {
    this.source = source;
    return source.open();
  }

  #ready(adapter: Adapter): Adapter {
    // A promise of a client has an order of its own until then.
    this.order = this.source.order ?? orderOf(this.source.client, this.order);
    return (this.adapter = adapter);
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
    throw this.closing === null || isKvError(error) ? blame(error, type, action, key, address) : this.closed(error);
  }

  /** Ends the connection when what is under way has ended; a second call waits for the first. */
  close(timeout: number): Promise<void> {
    if (this.closing !== null) return this.closing;
    const opening = this.adapter ?? this.opening;
    this.quick = null;
    return (this.closing = load()
      .then(({ end }) => end(this, opening, timeout))
      .catch((error) => {
        throw blame(error, this.source.type, "close");
      }));
  }

  closed(cause?: unknown): KvError {
    const details = cause === undefined ? {} : { cause };
    return new KvError("KV_CLOSED", "this store was closed: make a new one with kv()", { client: this.source.type, ...details });
  }
}
