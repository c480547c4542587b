/**
 * Items of batches, one after the other, as an async generator would yield them, at a fraction of
 * its cost for each: nothing is waited for within a batch.
 */
export class Iteration<B, T> implements AsyncGenerator<T, void, undefined> {
  readonly #batches: AsyncGenerator<readonly B[], void, undefined>;
  readonly #take: (item: B) => T | undefined;
  #batch: readonly B[] = [];
  #at = 0;
  // Calls that come while one waits are answered behind it.
  #waiting: Promise<unknown> | null = null;
  #isOver = false;

  /** `take` makes an item of an element of a batch; `undefined` leaves it out. */
  constructor(
    batches: AsyncGenerator<readonly B[], void, undefined>,
    take: (item: B) => T | undefined,
  ) {
    this.#batches = batches;
    this.#take = take;
  }

  next(): Promise<IteratorResult<T, void>> {
    if (this.#waiting !== null) return this.#behind(() => this.#answer());
    try {
      const taken = this.#taken();
      return taken === null ? this.#behind(() => this.#answer()) : Promise.resolve(taken);
    } catch (error) {
      return this.#behind(() => this.#fail(error));
    }
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#behind(async () => {
      this.#isOver = true;
      await this.#batches.return();
      return { done: true, value: undefined };
    });
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The next item of the batch; `null` when another batch is needed. */
  #taken(): IteratorResult<T, void> | null {
    while (this.#at < this.#batch.length && !this.#isOver) {
      const value = this.#take(this.#batch[this.#at++]!);
      if (value !== undefined) return { done: false, value };
    }
    return this.#isOver ? { done: true, value: undefined } : null;
  }

  async #answer(): Promise<IteratorResult<T, void>> {
    try {
      for (;;) {
        const taken = this.#taken();
        if (taken !== null) return taken;
        const { done, value } = await this.#batches.next();
        this.#isOver = done === true;
        this.#batch = value ?? [];
        this.#at = 0;
      }
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** An error ends it, as it ends a generator. */
  async #fail(error: unknown): Promise<never> {
    this.#isOver = true;
    await this.#batches.return();
    throw error;
  }

  #behind<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#waiting === null ? work() : this.#waiting.then(work, work);
    const forget = (): void => {
      if (this.#waiting === settled) this.#waiting = null;
    };
    const settled: Promise<void> = result.then(forget, forget);
    this.#waiting = settled;
    return result;
  }
}
