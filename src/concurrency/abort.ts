/** A signal of an end: an `AbortSignal`, or {@link Closing}. */
export interface Ending {
  readonly aborted: boolean;
  addEventListener(name: "abort", listener: () => void): void;
  removeEventListener(name: "abort", listener: () => void): void;
}

/**
 * An `AbortController` and its signal in one, for state that several requests share: edge workers
 * make no controller while they load, and bind each to the request that made it.
 */
export class Closing implements Ending {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of this.#listeners) listener();
  }
}
