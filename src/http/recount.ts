import { compareKeys } from "../record/utf8.ts";
import type { Rest } from "./rests.ts";
import type { SizedEntry, Space } from "./space.ts";
import { type SizeChange, StorageSum } from "./storage-sum.ts";

/**
 * A count of everything in a space, in small steps, while this process goes on writing. It is told
 * of each write, and is of no use once another process has written.
 */
export class Recount {
  readonly sum: StorageSum = new StorageSum();
  /** The version of the stored sum that belongs to the count. */
  version: string | null;
  /** Whether something was written that this count was not told of. */
  isSpoiled = false;
  /** When the last step was made, in milliseconds. */
  steppedAt: number = performance.now();
  /** The keys that were written meanwhile: the writes count them. */
  readonly #written = new Set<string>();
  /** The keys that were counted, where they come without an order; the last one elsewhere. */
  #passed: Set<string> | string | null = null;

  constructor(version: string | null) {
    this.version = version;
  }

  /** Counts everything, unless that is of no use any more. */
  async run(space: Space, rest: Rest): Promise<void> {
    this.sum.advance(Date.now());
    for await (const { entries, isOrdered } of space.sizes("")) {
      if (this.isSpoiled) return;
      for (const entry of entries) if (!this.#written.has(entry.key)) this.#take(entry, isOrdered);
      this.steppedAt = performance.now();
      await rest();
    }
  }

  #take(entry: SizedEntry, isOrdered: boolean): void {
    this.sum.add(entry);
    if (isOrdered) this.#passed = entry.key;
    else
      this.#passed = (this.#passed instanceof Set ? this.#passed : new Set<string>()).add(
        entry.key,
      );
  }

  #isPassed(key: string): boolean {
    return this.#passed instanceof Set
      ? this.#passed.has(key)
      : this.#passed !== null && compareKeys(key, this.#passed) <= 0;
  }

  /**
   * To be called before a write is sent, with the version of the stored sum. The replaced entry is
   * counted now, so that it does not matter when the count reaches it.
   */
  begin(changes: readonly SizeChange[], version: string | null): void {
    if (version !== this.version) this.isSpoiled = true;
    for (const { key, before } of changes) {
      if (this.#written.has(key)) continue;
      this.#written.add(key);
      if (before !== null && !this.#isPassed(key)) this.sum.add(before);
    }
  }

  /** To be called when the write is made, with the version that it gave to the stored sum. */
  end(changes: readonly SizeChange[], version: string): void {
    this.version = version;
    for (const change of changes) this.sum.apply(change);
  }
}
