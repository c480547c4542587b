import { KvError } from "./errors.ts";
import type { Order } from "./order.ts";
import { within } from "./patience.ts";
import { LONGEST } from "./timeout.ts";
import type { MaybePromise } from "./types.ts";

/**
 * The keys that an operation reads and writes. `readUnder` and `writeUnder` name every key that
 * starts with a prefix, as listings and `clear()` do.
 */
export interface Scope {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly readUnder?: string;
  readonly writeUnder?: string;
}

/** What a client applies in call order by itself. */
export type InOrder = "all" | "writes" | null;

/** One operation that is not over yet. */
interface Turn {
  readonly scope: Scope;
  /** Settles with the operation. Never rejects. */
  over: Promise<void>;
  /** When the operation is over at the latest, in milliseconds of `performance.now()`. */
  until: number;
  /** Whether the client has it, and itself applies later writes behind it. */
  readonly isInOrder: boolean;
  /** The error of an operation that got no answer in time. */
  timeout?: unknown;
}

/** The pending operations on one key: the last write, and the reads called after it. */
interface Lane {
  write: Turn | null;
  readonly reads: Set<Turn>;
}

/** A write waits for an earlier listing this many milliseconds; then it goes on beside it. */
const LISTING = 1000;

/** How long a waiting operation gives the time limits of earlier ones to take effect. */
const SLACK = 100;

/** Work that waited this many times its own time limit behind work that timed out is not sent. */
const PATIENCE = 2;

/**
 * Keeps the operations on one client in call order, key by key. Work that meets no earlier pending
 * work on its keys begins at once; the rest waits for exactly the work that it conflicts with.
 */
export class Lanes {
  readonly #order: Order;
  readonly #lanes = new Map<string, Lane>();
  readonly #ranges = new Set<Turn>();

  constructor(order: Order) {
    this.#order = order;
  }

  /**
   * Runs work once all earlier work on the same keys is over. Reads wait for writes, and writes for
   * both. Resolves or rejects with the work; earlier failures do not matter.
   *
   * @param ms how long the work takes at most, in milliseconds; it has to reject by then.
   * @param inOrder what the client itself applies in call order: with `"all"` later work on the
   * same keys, with `"writes"` later writes.
   * @throws {KvError} KV_CONNECTION when it waited longer than twice that for work that timed out.
   */
  run<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms: number = Infinity,
    inOrder: InOrder = null,
  ): MaybePromise<T> {
    if (this.#order.isHeld()) return this.#order.later(() => this.run(scope, work, ms, inOrder));
    const found = this.#order.pending === 0 ? [] : this.#blockers(scope);
    const blockers = inOrder === "writes" ? found.filter((turn) => !turn.isInOrder) : found;
    const result = blockers.length === 0 ? work() : this.#after(blockers, work, ms);
    if (!(result instanceof Promise) || (inOrder === "all" && blockers.length === 0)) return result;
    const start = blockers.reduce(
      (latest, { until }) => Math.max(latest, until),
      performance.now(),
    );
    this.#register(
      {
        scope,
        over: Promise.resolve(),
        until: start + ms,
        isInOrder: inOrder === "writes" && blockers.length === 0,
      },
      result,
    );
    return result;
  }

  /** Runs work on some keys if no earlier work on them is pending; `null` otherwise. */
  attempt<T>(scope: Scope, work: () => MaybePromise<T>, ms: number): MaybePromise<T> | null {
    const isFree =
      this.#order.pending === 0 || (!this.#order.isHeld() && this.#blockers(scope).length === 0);
    return isFree ? this.run(scope, work, ms) : null;
  }

  /** Counts a single read or write that has begun, so that later work on its key waits for it. */
  track(
    key: string,
    isWrite: boolean,
    result: Promise<unknown>,
    ms: number,
    isInOrder: boolean = false,
  ): void {
    const scope = isWrite ? { write: [key] } : { read: [key] };
    this.#register(
      { scope, over: Promise.resolve(), until: performance.now() + ms, isInOrder },
      result,
    );
  }

  /**
   * Resolves once all earlier writes under a prefix are over. Later work does not wait for the
   * caller.
   */
  async settled(prefix: string): Promise<void> {
    if (this.#order.isHeld()) await this.#order.later(() => {});
    const blockers = this.#order.pending === 0 ? [] : this.#blockers({ readUnder: prefix });
    if (blockers.length > 0) await this.#after(blockers, () => {}, Infinity);
  }

  #register(turn: Turn, result: Promise<unknown>): void {
    const { read, write, readUnder, writeUnder } = turn.scope;
    this.#order.pending++;
    for (const key of read ?? []) this.#lane(key).reads.add(turn);
    for (const key of write ?? []) this.#lanes.set(key, { write: turn, reads: new Set() });
    if (readUnder !== undefined || writeUnder !== undefined) this.#ranges.add(turn);
    turn.over = result.then(
      () => this.#end(turn),
      (error: unknown) => {
        turn.timeout = [error, Object(error).cause].find(
          (each) => Object(each).name === "TimeoutError",
        );
        this.#end(turn);
      },
    );
  }

  #lane(key: string): Lane {
    const lane = this.#lanes.get(key) ?? { write: null, reads: new Set<Turn>() };
    this.#lanes.set(key, lane);
    return lane;
  }

  #end(turn: Turn): void {
    this.#order.pending--;
    this.#ranges.delete(turn);
    for (const key of turn.scope.read ?? []) this.#leave(key, turn);
    for (const key of turn.scope.write ?? []) this.#leave(key, turn);
  }

  #leave(key: string, turn: Turn): void {
    const lane = this.#lanes.get(key);
    // A later write has taken over the lane.
    if (lane === undefined) return;
    if (lane.write === turn) lane.write = null;
    lane.reads.delete(turn);
    if (lane.write === null && lane.reads.size === 0) this.#lanes.delete(key);
  }

  #blockers({ read, write, readUnder, writeUnder }: Scope): Turn[] {
    const found = new Set<Turn>();
    const add = (turn: Turn | null | undefined): void => void (turn && found.add(turn));
    const addLane = (lane: Lane | undefined): void => {
      add(lane?.write);
      lane?.reads.forEach(add);
    };
    for (const key of read ?? []) add(this.#lanes.get(key)?.write);
    for (const key of write ?? []) addLane(this.#lanes.get(key));
    for (const range of this.#ranges) {
      const { readUnder: listed, writeUnder: cleared } = range.scope;
      const covers = (prefix: string | undefined) => (key: string) =>
        prefix !== undefined && key.startsWith(prefix);
      const overlaps = (a: string | undefined, b: string | undefined): boolean =>
        a !== undefined && b !== undefined && (a.startsWith(b) || b.startsWith(a));
      if (
        read?.some(covers(cleared)) ||
        write?.some((key) => covers(cleared)(key) || covers(listed)(key))
      )
        add(range);
      if (
        overlaps(readUnder, cleared) ||
        overlaps(writeUnder, cleared) ||
        overlaps(writeUnder, listed)
      )
        add(range);
    }
    if (readUnder !== undefined)
      for (const [key, lane] of this.#lanes) if (key.startsWith(readUnder)) add(lane.write);
    if (writeUnder !== undefined)
      for (const [key, lane] of this.#lanes) if (key.startsWith(writeUnder)) addLane(lane);
    return [...found];
  }

  async #after<T>(blockers: readonly Turn[], work: () => MaybePromise<T>, ms: number): Promise<T> {
    const start = performance.now();
    const latest = Math.max(
      ...blockers.map(({ scope, until }) =>
        scope.readUnder === undefined ? until : Math.min(until, start + LISTING),
      ),
    );
    const limit = Math.min(Math.ceil(latest - start) + SLACK, LONGEST);
    let cause: unknown;
    // Edge workers may never settle what another request began: the limit then ends the wait.
    await within(Promise.all(blockers.map(({ over }) => over)), limit).catch(
      (error) => (cause = error),
    );
    cause ??= blockers.find(({ timeout }) => timeout !== undefined)?.timeout;
    if (cause !== undefined && performance.now() - start >= PATIENCE * ms) {
      throw new KvError(
        "KV_CONNECTION",
        "not sent: earlier operations on this key were not answered in time",
        { cause },
      );
    }
    return work();
  }
}

const lanes = new WeakMap<Order, Lanes>();

/** Gives an order lanes of its own. */
export const useLanes = (order: Order, own: Lanes): void => void lanes.set(order, own);

/** The operations that are pending on a client. */
export function lanesOf(order: Order): Lanes {
  const found = lanes.get(order) ?? new Lanes(order);
  lanes.set(order, found);
  return found;
}
