import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import type { CacheEntry } from "./entry.ts";
import { inspect, type Inspected, isolate } from "./isolate.ts";
import { type Time, timeOf } from "./options.ts";

/** The first of two tiers: values in the memory of this process. */
export interface L1Options {
  /** The most values. Default 1,000. */
  entries?: number | undefined;
  /** The most bytes of memory that the values take, as estimated. Default 10,000,000. */
  bytes?: number | undefined;
  /** How old a value may become here, since it was read from the second tier. Default `"5s"`. */
  ttl?: Time | undefined;
}

/** A value in memory. */
export interface L1Item {
  readonly entry: CacheEntry;
  readonly bytes: number;
  readonly kind: Inspected["kind"];
  /** When its age began. */
  readonly since: number;
  /** Whether it was read since the last round. */
  isUsed: boolean;
}

/** @throws {KvError} KV_INVALID_VALUE unless it is a whole number from 1. */
function countOf(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new KvError("KV_INVALID_VALUE", `${name} of l1 has to be a whole number from 1`);
}

/**
 * Bounded memory. Of two values the one that nobody has read for a round is dropped (CLOCK), so
 * that a read costs one look-up.
 */
export class L1 {
  readonly ttl: number;
  bytes = 0;
  readonly #entries: number;
  readonly #bytes: number;
  readonly #items = new Map<string, L1Item>();

  /** @throws {KvError} KV_INVALID_VALUE or KV_INVALID_EXPIRES for the options. */
  constructor(options: L1Options = {}) {
    checkOptions(options, ["entries", "bytes", "ttl"], "l1");
    const { entries = 1000, bytes = 10_000_000, ttl = 5 } = options;
    this.#entries = countOf("entries", entries);
    this.#bytes = countOf("bytes", bytes);
    this.ttl = timeOf("ttl", ttl);
  }

  get size(): number {
    return this.#items.size;
  }

  /** The entry of a key, if it is not too old. Its value is not a copy. */
  get(key: string, now: number): L1Item | undefined {
    const item = this.#items.get(key);
    if (item === undefined) return undefined;
    const age = now - item.since;
    // A clock that was set back makes ages negative.
    if (age >= this.ttl || age < 0) return this.delete(key);
    item.isUsed = true;
    return item;
  }

  /** Keeps an entry whose age began at `since`. */
  put(key: string, entry: CacheEntry, since: number): void {
    this.delete(key);
    const { bytes, kind } = inspect(entry.value, this.#bytes);
    if (kind === "none") return;
    const size = bytes + key.length * 2;
    const kept = { ...entry, value: isolate(entry.value, kind) };
    this.#items.set(key, { entry: kept, bytes: size, kind, since, isUsed: false });
    this.bytes += size;
    this.#shrink();
  }

  #shrink(): void {
    for (const [key, item] of this.#items) {
      if (this.#items.size <= this.#entries && this.bytes <= this.#bytes) return;
      if (!item.isUsed) {
        this.delete(key);
        continue;
      }
      // The loop meets it again behind all others.
      item.isUsed = false;
      this.#items.delete(key);
      this.#items.set(key, item);
    }
  }

  delete(key: string): undefined {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.bytes -= item.bytes;
    this.#items.delete(key);
  }

  clear(): void {
    this.#items.clear();
    this.bytes = 0;
  }
}

/** A copy of the value of an item. */
export const valueOf = ({ entry, kind }: L1Item): unknown => isolate(entry.value, kind);
