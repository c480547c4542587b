import { unref } from "../../platform/unref.ts";

/** Node's timers hold no longer time. */
const LONGEST = 2 ** 31 - 1;

/** So many replaced entries are kept before they are counted against the others. */
const SPARE = 64;

/** Deadlines of keys, of which the earliest has a timer. The timer keeps no program alive. */
export class DeadlineTimer {
  /** By key: its deadline in epoch milliseconds. */
  readonly #deadlines = new Map<string, number>();
  /** Key and deadline as a binary heap, with entries that were replaced since. */
  #heap: (readonly [at: number, key: string])[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #reached: (keys: string[]) => void;

  /** `reached` is called with the keys whose deadline has passed. */
  constructor(reached: (keys: string[]) => void) {
    this.#reached = reached;
  }

  /** How many entries it keeps: at most twice as many as there are deadlines, and a few. */
  get size(): number {
    return this.#heap.length;
  }

  set(key: string, at: number | null): void {
    if (at === null) {
      if (this.#deadlines.delete(key)) this.#compact();
      return;
    }
    if (this.#deadlines.get(key) === at) return;
    this.#deadlines.set(key, at);
    this.#push([at, key]);
    if (this.#heap[0]![1] === key) this.#schedule();
    this.#compact();
  }

  /** Drops the replaced entries once they are the greater part. */
  #compact(): void {
    if (this.#heap.length <= 2 * this.#deadlines.size + SPARE) return;
    // A list in order is a heap.
    this.#heap = Array.from(this.#deadlines, ([key, at]) => [at, key] as const).sort(
      ([a], [b]) => a - b,
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#deadlines.clear();
    this.#heap = [];
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#heap.length === 0) return;
    const ms = Math.min(Math.max(1, this.#heap[0]![0] - Date.now()), LONGEST);
    this.#timer = setTimeout(() => this.#pass(), ms);
    unref(this.#timer);
  }

  #pass(): void {
    const now = Date.now();
    const keys: string[] = [];
    while (this.#heap.length > 0 && this.#heap[0]![0] <= now) {
      const [at, key] = this.#pop();
      if (this.#deadlines.get(key) !== at) continue;
      this.#deadlines.delete(key);
      keys.push(key);
    }
    this.#schedule();
    if (keys.length > 0) this.#reached(keys);
  }

  #push(item: readonly [number, string]): void {
    const heap = this.#heap;
    let i = heap.push(item) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]![0] <= item[0]) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = item;
  }

  #pop(): readonly [number, string] {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]![0] < heap[child]![0]) child++;
      if (heap[child]![0] >= last[0]) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}
