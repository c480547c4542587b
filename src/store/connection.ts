import type { Source } from "../clients/define.ts";
import { type Order, orderOf } from "../concurrency/order.ts";
import { load } from "../platform/load.ts";
import type { Busy } from "../concurrency/timeout.ts";
import type { Adapter, QuickItems } from "../clients/adapter.ts";

/** A sweep rides on every so many writes. */
export const SWEEP = 128;

/**
 * One client and its adapter, shared by all stores over it: opened by the first operation, closed
 * once.
 */
export class Connection implements Busy {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter once it was opened. */
  adapter: Adapter | null = null;
  /** The items of a client that answers at once, while the connection is open. */
  quick: QuickItems | null = null;
  /** The call order of operations on this client. */
  order: Order;
  /** Writes since the last sweep, by all stores over this connection. */
  writes: number = 0;
  /** How many writes are due to the next one. */
  sweepAt: number = SWEEP;
  /** How many requests to the client are under way, and who waits for none to be. */
  running: number = 0;
  idle: (() => void) | undefined;
  declare unanswered?: number;
  /** The opening that is under way, and the closing: both are shared by all who ask for them. */
  opening: Promise<Adapter> | null = null;
  closing: Promise<void> | null = null;
  /** The watches over this connection, which end with it. */
  watches: { close(): void } | null = null;
  readonly start: () => Source | Promise<Source>;

  constructor(source: Source, start: () => Source | Promise<Source> = () => source) {
    this.source = source;
    this.order = orderOf(source.client);
    this.start = start;
  }

  /**
   * The adapter, or a promise of it. A client that answers at once is opened at once.
   *
   * @throws {KvError} (the promise) KV_CLOSED after `close()`; KV_CONNECTION when the client cannot
   * be opened (the next call tries again).
   */
  open(): Adapter | Promise<Adapter> {
    if (this.closing !== null)
      return load().then(({ closedError }) => Promise.reject(closedError(this)));
    return this.adapter ?? this.opening ?? this.#open();
  }

  /** The items of a client that answers at once; `null` for others, and where that fails. */
  openQuick(): QuickItems | null {
    if (this.source.quick === undefined || this.closing !== null) return null;
    try {
      return (this.quick = this.source.quick());
    } catch {
      // The operations fail in the same way, and say why.
      return null;
    }
  }

  #open(): Promise<Adapter> {
    const opening = (async () => this.#use(await this.start()))();
    // Adapters need the rest of the code, which is loaded meanwhile.
    this.opening = Promise.all([opening, load()]).then(
      ([adapter]) => this.#ready(adapter),
      async (error) => {
        this.opening = null;
        const { toKvError } = await load();
        throw toKvError(error, this.source.type, "connecting", undefined, this.source.address);
      },
    );
    this.order.hold(this.opening);
    return this.opening;
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

  /** Ends the connection after its pending calls; a second call waits for the first. */
  close(timeout: number): Promise<void> {
    if (this.closing !== null) return this.closing;
    const opening = this.adapter ?? this.opening;
    this.quick = null;
    this.watches?.close();
    return (this.closing = load().then(({ end }) => end(this, opening, timeout)));
  }
}
