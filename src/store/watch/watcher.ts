import type { KvRecord } from "../../record/types.ts";

/** The report of a key: its record, `null` when it is absent. */
export interface Found {
  /** The full key. */
  readonly key: string;
  readonly record: KvRecord | null;
}

/** Which full keys a watcher asks for. */
export interface Target {
  readonly keys: readonly string[];
  /** Every longer key that starts with this text; `null` for none. */
  readonly prefix: string | null;
}

/** How a watcher is told of changes. */
export interface WatcherOptions {
  /** Starts with the entries that are present. */
  readonly initial: boolean;
  /** Milliseconds between two looks at a client that reports no changes. */
  readonly interval: number;
  /** Milliseconds for which a lost connection is waited for. */
  readonly timeout: number;
  /** Whether a key without a record is reported each time that it may have changed. */
  readonly foreign?: boolean;
  /** Whether writes of this process are reported that leave a key as it was. */
  readonly raw?: boolean;
}

/** A consumer that waits for the next change. */
interface Consumer {
  readonly resolve: (found: Found | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One watch. It keeps the keys that have changed since they were reported, and reports them when
 * its consumer asks: nothing is read for a consumer that does not.
 */
export class StoreWatcher {
  readonly target: Target;
  readonly options: WatcherOptions;
  /** Keys that have changed since they were reported last. */
  readonly dirty: Set<string> = new Set();
  isOver = false;
  #found: Found[] = [];
  #waiting: Consumer | null = null;
  #error: unknown;
  /** Called when the consumer begins to wait. */
  onWait: () => void = () => {};

  constructor(target: Target, options: WatcherOptions) {
    this.target = target;
    this.options = options;
  }

  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** The next change; `null` when the watch is over. One call at a time. */
  next(): Promise<Found | null> {
    const found = this.#found.shift();
    if (found !== undefined) return Promise.resolve(found);
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.isOver) return Promise.resolve(null);
    const next = new Promise<Found | null>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.onWait();
    return next;
  }

  /** Reports a change. The key counts as reported. */
  report(found: Found): void {
    this.dirty.delete(found.key);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#found.push(found);
    else waiting.resolve(found);
  }

  /** Ends the watch; with an error after the pending reports have been taken. */
  end(error?: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    this.dirty.clear();
    const waiting = this.#waiting;
    this.#waiting = null;
    if (error === undefined) waiting?.resolve(null);
    else if (waiting === null) this.#error = error;
    else waiting.reject(error);
  }
}
