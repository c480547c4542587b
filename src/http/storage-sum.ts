import type { Json } from "../types.ts";

/**
 * How many deadlines a sum tells apart. With more of them, it gives some bytes back at a later
 * deadline.
 */
const MOST_DEADLINES = 32;

/** How many bytes something takes, and until when: `null` for ever. */
export interface Sized {
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly expires: number | null;
}

/** One write of an entry: what it replaces and what it leaves, `null` for nothing. */
export interface SizeChange {
  /** The key under the root of the space. */
  readonly key: string;
  readonly before: Sized | null;
  readonly after: Sized | null;
}

/**
 * How many bytes a space takes, now and after the next deadlines. It forgets expired bytes by
 * itself, without a look at the entries.
 *
 * It may count bytes longer than they are there, never shorter.
 */
export class StorageSum {
  #now: number;
  #permanent: number;
  /** The bytes until each deadline, in the order of the deadlines. */
  #until: (readonly [deadline: number, bytes: number])[];

  constructor(now = 0, permanent = 0, until: readonly (readonly [number, number])[] = []) {
    this.#now = now;
    this.#permanent = permanent;
    this.#until = [...until];
  }

  /** The sum that a space keeps; `null` when it keeps none, or one of an earlier version. */
  static of(stored: unknown): StorageSum | null {
    const { now, permanent, until } = Object(stored) as { [name: string]: unknown };
    return typeof now === "number" && typeof permanent === "number" && Array.isArray(until)
      ? new StorageSum(now, permanent, until)
      : null;
  }

  get bytes(): number {
    return this.#until.reduce((sum, [, bytes]) => sum + bytes, this.#permanent);
  }

  /** Subtracts expired entries. A moment before an earlier one changes nothing. */
  advance(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#until = this.#until.filter(([deadline]) => deadline > this.#now);
  }

  apply({ before, after }: Omit<SizeChange, "key">): void {
    if (before !== null) this.remove(before);
    if (after !== null) this.add(after);
  }

  add({ bytes, expires }: Sized): void {
    if (expires === null) {
      this.#permanent += bytes;
      return;
    }
    if (expires <= this.#now) return;
    const place = this.#until.findIndex(([deadline]) => deadline >= expires);
    const found = this.#until[place];
    if (found?.[0] === expires) this.#until[place] = [expires, found[1] + bytes];
    else this.#until.splice(place < 0 ? this.#until.length : place, 0, [expires, bytes]);
    if (this.#until.length > MOST_DEADLINES) this.#merge();
  }

  /**
   * Takes the bytes from the earliest deadline that may hold them: those that are left there are
   * then counted longer, not shorter.
   */
  remove({ bytes, expires }: Sized): void {
    if (expires === null) {
      this.#permanent = Math.max(0, this.#permanent - bytes);
      return;
    }
    if (expires <= this.#now) return;
    let left = bytes;
    this.#until = this.#until
      .map(([deadline, held]) => {
        const taken = deadline < expires ? 0 : Math.min(left, held);
        left -= taken;
        return [deadline, held - taken] as const;
      })
      .filter(([, held]) => held > 0);
  }

  /** Moves the bytes of one deadline to the next: where that is the shortest part of its time. */
  #merge(): void {
    let least = Infinity;
    let place = 0;
    for (let i = 0; i + 1 < this.#until.length; i++) {
      const [deadline] = this.#until[i]!;
      const [next] = this.#until[i + 1]!;
      const part = (next - deadline) / (next - this.#now);
      if (part < least) [least, place] = [part, i];
    }
    const [[, bytes], [deadline, more]] = this.#until.slice(place, place + 2) as [
      readonly [number, number],
      readonly [number, number],
    ];
    this.#until.splice(place, 2, [deadline, bytes + more]);
  }

  toJSON(): Json {
    return {
      now: this.#now,
      permanent: this.#permanent,
      until: this.#until.map(([deadline, bytes]) => [deadline, bytes]),
    };
  }
}
