import { isKvError } from "../errors.ts";

/**
 * Leaves a store alone that could not be reached, so that only one call in a while waits for its
 * timeout.
 */
export class Breaker {
  readonly #pause: number;
  #until = 0;
  #error: unknown;

  /** @param pause milliseconds. */
  constructor(pause: number) {
    this.#pause = pause;
  }

  /**
   * Asks the store.
   *
   * @throws the error of `work`; the last error again, without asking, if the store could not be
   * reached a moment ago.
   */
  async ask<T>(work: () => Promise<T>, isUrgent = false): Promise<T> {
    if (this.#until > 0 && !isUrgent) {
      const now = Date.now();
      if (now < this.#until) throw this.#error;
      // This call tries. Others wait for its outcome.
      this.#until = now + this.#pause;
    }
    try {
      const result = await work();
      this.#until = 0;
      return result;
    } catch (error) {
      this.note(error);
      throw error;
    }
  }

  /** Whether calls have to go through `ask()`: the store could not be reached the last time. */
  get isOpen(): boolean {
    return this.#until > 0;
  }

  /** Notes an error of a call that did not go through `ask()`. */
  note(error: unknown): void {
    if (error === this.#error || this.#pause === 0 || !isKvError(error, "KV_CONNECTION")) return;
    this.#until = Date.now() + this.#pause;
    this.#error = error;
  }
}
