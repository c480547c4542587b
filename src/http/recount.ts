import { compareKeys } from "../record/utf8.ts";
import type { SizedEntry, Space } from "./space.ts";
import { type SizeChange, StorageSum } from "./storage-sum.ts";

/** Waits between two steps, which leaves the processor to others. */
export type Rest = () => Promise<void>;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    // A count in the background does not keep a program alive.
    (timer as { unref?: () => void }).unref?.();
  });

/** How long a writer that waits for a count lets it run at once, in milliseconds. */
const AT_ONCE = 5;
/** A count in the background takes one part of the time, and leaves nine to others. */
const SHARE = 9;
/** The shortest rest of a count in the background, in milliseconds. */
const SHORTEST = 5;

/** Lets others run every few milliseconds: for a count that a writer waits for. */
export function shortRests(): Rest {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < AT_ONCE) return;
    await pause(0);
    began = performance.now();
  };
}

/** Rests most of the time: for a count in the background. */
export function longRests(): Rest {
  let began = performance.now();
  return async () => {
    await pause(Math.max(SHORTEST, (performance.now() - began) * SHARE));
    began = performance.now();
  };
}

/**
 * A count of everything in a space, in small steps, while this process goes on writing. It is told
 * of each write, and is of no use once another process has written.
 */
export class Recount {
  readonly sum: StorageSum = new StorageSum();
  /** The version of the stored sum that belongs to what was counted. */
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
   * To be called before a write is sent, with the version of the stored sum. What the write
   * replaces is counted now, so that it does not matter when the count comes to it.
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
