/**
 * The keys that were written with a deadline, for a client that is not persistent. A sweep looks at
 * some of them, and the next sweep continues behind those.
 */
export class DatedKeys {
  readonly #deadlines = new Map<string, number>();
  #round: Iterator<[string, number]> | undefined;

  /** Remembers the deadline of a key; `null` for a record without one, or a deleted key. */
  note(key: string, deadline: number | null): void {
    if (deadline !== null) this.#deadlines.set(key, deadline);
    else if (this.#deadlines.size > 0) this.#deadlines.delete(key);
  }

  /** Calls `isKept` for up to `limit` keys, and forgets the keys that are not kept. */
  look(limit: number, isKept: (key: string, deadline: number) => boolean): void {
    const isWhole = limit === Infinity;
    const round = isWhole ? this.#deadlines.entries() : (this.#round ??= this.#deadlines.entries());
    for (let looks = 0; looks < limit; looks++) {
      const { done, value } = round.next();
      if (done) {
        if (!isWhole) this.#round = undefined;
        return;
      }
      if (!isKept(...value)) this.#deadlines.delete(value[0]);
    }
  }
}
