import type { CacheEntry } from "./entry.ts";
import { inspect, type Inspected, isolate } from "./isolate.ts";

/** The bounds of the first tier; the ttl in milliseconds. */
export interface TierOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly ttl: number;
}

/** A value in memory. */
export interface L1Item {
  readonly entry: CacheEntry;
  readonly bytes: number;
  readonly kind: Inspected["kind"];
  /** When its age began. */
  readonly since: number;
  /** `undefined` where it is not known. */
  readonly version: string | undefined;
  /** Whether it was read since the last round. */
  isUsed: boolean;
}

/**
 * Bounded memory. Of two values the one that was not read for a round is dropped (CLOCK), so
 * that a read costs one look-up.
 */
export class L1 {
  bytes = 0;
  readonly #options: TierOptions;
  readonly #items = new Map<string, L1Item>();

  constructor(options: TierOptions) {
    this.#options = options;
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
    if (age >= this.#options.ttl || age < 0) return this.delete(key);
    item.isUsed = true;
    return item;
  }

  /** Keeps an entry whose age began at `since`. */
  put(key: string, entry: CacheEntry, since: number, version?: string | null): void {
    this.delete(key);
    const { bytes, kind } = inspect(entry.value, this.#options.bytes);
    if (kind === "none") return;
    const size = bytes + key.length * 2;
    const kept = { ...entry, value: isolate(entry.value, kind) };
    this.#items.set(key, {
      entry: kept,
      bytes: size,
      kind,
      since,
      version: version ?? undefined,
      isUsed: false,
    });
    this.bytes += size;
    this.#shrink();
  }

  #shrink(): void {
    const { entries, bytes } = this.#options;
    for (const [key, item] of this.#items) {
      if (this.#items.size <= entries && this.bytes <= bytes) return;
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

  /** Takes over a change that the store has reported. */
  follow(key: string, entry: CacheEntry | null, version: string | null, now: number): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    if (entry === null) return this.delete(key);
    // It is older than the read value.
    if (version !== null && item.version !== undefined && version <= item.version) return;
    this.put(key, entry, now, version);
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
