/**
 * The end of a load before its loader is done. It makes an `AbortSignal` only for a loader that
 * asks for one: that takes longer than everything else that a load does.
 */
export class LoadEnd {
  isAborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();
  #controller: AbortController | undefined;

  abort(reason: unknown): void {
    if (this.isAborted) return;
    this.isAborted = true;
    this.reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners) listener();
  }

  /** Rejects when the load is to end, or resolves as the work does. */
  async during<T>(work: () => T | Promise<T>): Promise<T> {
    this.check();
    let stop!: () => void;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(this.reason as Error);
    });
    this.#listeners.add(stop);
    try {
      return await Promise.race([work(), stopped]);
    } finally {
      this.#listeners.delete(stop);
    }
  }

  /** @throws the reason, if the load is to end. */
  check(): void {
    if (this.isAborted) throw this.reason;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isAborted) this.#controller.abort(this.reason);
    return this.#controller.signal;
  }
}
