import type { KVOperation } from "./types.ts";

/** A change of a row that is not known to be stored. */
export interface PendingWrite extends KVOperation {
  value: unknown;
  /** Whether it gives way to a stored row. */
  isBeginning: boolean;
  resolve(): void;
  reject(error: Error): void;
}

function newOperation(): Omit<PendingWrite, "value" | "isBeginning"> {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  // The caller may ignore the promise.
  promise.catch(() => {});
  return { resolve, reject, promise: () => promise };
}

/** The changes of rows that are not known to be stored. */
export class Queue {
  /** The last change of each row. */
  readonly #last = new Map<string, PendingWrite>();
  /** Those that were not sent yet. */
  #waiting = new Map<string, PendingWrite>();

  /** Adds a change. It replaces a waiting change of the row: both end together. */
  add(key: string, value: unknown, isBeginning: boolean): PendingWrite {
    const waiting = this.#waiting.get(key) ?? newOperation();
    const write = Object.assign(waiting, { value, isBeginning });
    this.#last.set(key, write);
    this.#waiting.set(key, write);
    return write;
  }

  last(key: string): PendingWrite | undefined {
    return this.#last.get(key);
  }

  waiting(): [key: string, write: PendingWrite][] {
    return [...this.#waiting];
  }

  /** The waiting changes, which do not wait any more. */
  take(): [key: string, write: PendingWrite][] {
    const taken = this.waiting();
    this.#waiting = new Map();
    return taken;
  }

  /** Forgets a change that has ended. Returns whether it was the last one of its row. */
  end(key: string, write: PendingWrite): boolean {
    if (this.#waiting.get(key) === write) this.#waiting.delete(key);
    return this.#last.get(key) === write && this.#last.delete(key);
  }

  /** Rejects the waiting changes. Each of them waits again, as a new operation. */
  postpone(reason: Error): void {
    for (const [key, write] of this.take()) {
      this.add(key, write.value, write.isBeginning);
      write.reject(reason);
    }
  }
}
