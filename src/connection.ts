import type { Source } from "./clients/define.ts";
import { blame, KvError } from "./errors.ts";
import { within } from "./patience.ts";
import type { Adapter } from "./types.ts";

/** A sweep rides on every so many writes, and looks at as many records: a full round costs one look a write. */
export const SWEEP = 128;

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

  /** Ends the connection; a second call waits for the first. */
  close(timeout: number): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const { adapter } = this;
    const opening = this.open();
    this.adapter = null;
    const closing = opening.then(
      async (opened) => {
        // Operations that waited for the opening come first.
        if (adapter === null) await new Promise((resolve) => setTimeout(resolve));
        await opened.close?.();
      },
      // What could not be opened needs no closing; its operations have said why.
      () => undefined,
    );
    return (this.#closing = within(closing, timeout).catch((error) => {
      throw blame(error, this.source.type, "close");
    }));
  }
}
