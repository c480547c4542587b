import type { Turn } from "./turn.ts";

/**
 * The pending operations on one key: the last write, and the reads called after it. Nearly always
 * there is one, so that a set of reads is made for the second.
 */
export class Lane {
  write: Turn | null = null;
  #read: Turn | null = null;
  #others: Set<Turn> | null = null;

  addRead(turn: Turn): void {
    if (this.#read === null) this.#read = turn;
    else (this.#others ??= new Set()).add(turn);
  }

  /** Removes an operation that is over. */
  remove(turn: Turn): void {
    if (this.write === turn) this.write = null;
    else if (this.#read === turn) this.#read = null;
    else this.#others?.delete(turn);
  }

  get isEmpty(): boolean {
    return this.write === null && this.#read === null && !this.#others?.size;
  }

  /** Adds the operations that a write has to wait for. */
  addAll(to: Set<Turn>): void {
    if (this.write !== null) to.add(this.write);
    if (this.#read !== null) to.add(this.#read);
    this.#others?.forEach((turn) => to.add(turn));
  }
}
