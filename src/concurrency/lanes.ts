import { KvError } from "../errors.ts";
import { Lane } from "./lane.ts";
import type { Order } from "./order.ts";
import { within } from "./timeout.ts";
import { LONGEST } from "./timeout-option.ts";
import { type InOrder, isMany, type Line, type Scope, Turn } from "./turn.ts";
import type { MaybePromise } from "../types.ts";

export type { InOrder, Scope } from "./turn.ts";

/** A write waits for an earlier listing this many milliseconds; then it goes on beside it. */
const LISTING = 1000;

/** How long a waiting operation gives the time limits of earlier ones to take effect. */
const SLACK = 100;

/** Work that waited this many times its own time limit behind work that timed out is not sent. */
const PATIENCE = 2;

const NONE: readonly Turn[] = [];

/**
 * Keeps the operations on one client in call order, key by key. Work that meets no earlier pending
 * work on its keys begins at once; the rest waits for exactly the work that it conflicts with.
 */
export class Lanes {
  readonly #order: Order;
  readonly #lanes = new Map<string, Lane>();
  /** Operations on prefixes, and reads of many keys. */
  readonly #ranges = new Set<Turn>();
  /** By the error of an operation that was not sent: the earlier work that is still pending. */
  readonly #unsent = new WeakMap<object, Promise<unknown>>();

  constructor(order: Order) {
    this.#order = order;
  }

  /**
   * Runs work once all earlier work on the same keys is over. Reads wait for writes, and writes for
   * both. Resolves or rejects with the work; earlier failures do not matter.
   *
   * @param ms how long one request of the work takes at most, in milliseconds. Default `Infinity`.
   * @param inOrder the calls that the client itself applies in call order: with `"all"` later work
   * on the same keys, with `"writes"` later writes, with `"counts"` later counts. Default `null`:
   * nothing.
   * @param requests how many requests the work may take; it rejects after as many times `ms`.
   * Default 1.
   * @throws {KvError} KV_CONNECTION when it waited longer than twice that for work that timed out,
   * or longer than `ms` for each request of work with a longer timeout.
   */
  run<T>(
    scope: Scope,
    work: () => MaybePromise<T>,
    ms: number = Infinity,
    inOrder: InOrder = null,
    requests: number = 1,
  ): MaybePromise<T> {
    if (this.#order.isHeld())
      return this.#order.later(() => this.run(scope, work, ms, inOrder, requests));
    const found = this.#order.pending === 0 ? NONE : this.#blockers(scope);
    const blockers = inOrder === null ? found : found.filter((turn) => turn.inOrder !== inOrder);
    const isFree = blockers.length === 0;
    const result = isFree ? work() : this.#after(blockers, work, ms, requests);
    if (this.#order.isHeard) this.#publish(scope, result);
    if (!(result instanceof Promise) || (inOrder === "all" && isFree)) return result;
    const line = lineBehind(blockers, ms, requests);
    const kind = (isFree ? inOrder : null) as Turn["inOrder"];
    // A count takes the place of earlier ones in a lane: it is over when they are.
    const over =
      kind === "counts"
        ? result.finally(() => Promise.all(found.map((turn) => turn.over)))
        : result;
    this.#register(scope, over, line, kind);
    return result;
  }

  #publish(scope: Scope, result: unknown): void {
    if (!scope.write?.length && scope.writeUnder === undefined) return;
    const publish = (): void => this.#order.publish(scope);
    // A write that failed may have been carried out.
    if (result instanceof Promise) result.then(publish, publish);
    else publish();
  }

  /** Runs work on some keys if no earlier work on them is pending; `null` otherwise. */
  attempt<T>(scope: Scope, work: () => MaybePromise<T>, ms: number): MaybePromise<T> | null {
    const isFree =
      this.#order.pending === 0 || (!this.#order.isHeld() && this.#blockers(scope).length === 0);
    return isFree ? this.run(scope, work, ms) : null;
  }

  /**
   * Counts a single read or write that has begun while nothing was pending, so that later work on
   * its key waits for it. Its caller calls `end`.
   */
  track(key: string, isWrite: boolean, ms: number, isInOrder: boolean = false): Turn {
    const now = performance.now();
    const scope = isWrite ? { write: [key] } : { read: [key] };
    const turn = new Turn(scope, now + ms, now, 1, isInOrder ? "writes" : null);
    this.#order.pending++;
    const lane = this.#lane(key);
    if (isWrite) lane.write = turn;
    else lane.addRead(turn);
    return turn;
  }

  /** Ends an operation, with its error if it failed. */
  end(turn: Turn, error?: unknown): void {
    if (error === undefined) return this.#leave(turn);
    turn.timeout = [error, Object(error).cause].find(
      (each) => Object(each).name === "TimeoutError",
    );
    const pending = this.#unsent.get(Object(error) as object);
    // Later work has to wait for the same operations as this one.
    if (pending === undefined) this.#leave(turn);
    else void pending.then(() => this.#leave(turn));
  }

  /**
   * Resolves once all earlier writes under a prefix are over. Later work does not wait for the
   * caller.
   */
  async settled(prefix: string): Promise<void> {
    if (this.#order.isHeld()) await this.#order.later(() => {});
    const blockers = this.#order.pending === 0 ? NONE : this.#blockers({ readUnder: prefix });
    if (blockers.length > 0) await this.#after(blockers, () => {}, Infinity, 1);
  }

  #register(scope: Scope, result: Promise<unknown>, line: Line, inOrder: Turn["inOrder"]): void {
    const turn = new Turn(scope, line.until, line.since, line.requests, inOrder);
    const { read, write, readUnder, writeUnder } = scope;
    this.#order.pending++;
    const isLong = isMany(scope);
    if (!isLong) for (const key of read ?? []) this.#lane(key).addRead(turn);
    for (const key of write ?? []) {
      const lane = new Lane();
      lane.write = turn;
      this.#lanes.set(key, lane);
    }
    if (isLong || readUnder !== undefined || writeUnder !== undefined) this.#ranges.add(turn);
    result.then(
      () => this.#leave(turn),
      (error: unknown) => this.end(turn, error),
    );
  }

  #lane(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane()));
    return lane;
  }

  #leave(turn: Turn): void {
    turn.end();
    this.#order.pending--;
    if (this.#ranges.size > 0) this.#ranges.delete(turn);
    const { read, write } = turn.scope;
    if (read !== undefined && !isMany(turn.scope)) this.#leaveLanes(read, turn);
    if (write !== undefined) this.#leaveLanes(write, turn);
  }

  #leaveLanes(keys: readonly string[], turn: Turn): void {
    for (const key of keys) {
      const lane = this.#lanes.get(key);
      // A later write has taken over the lane.
      if (lane === undefined) continue;
      lane.remove(turn);
      if (lane.isEmpty) this.#lanes.delete(key);
    }
  }

  /** The pending operations that work on these keys has to wait for. */
  #blockers(scope: Scope): readonly Turn[] {
    const { read, write, readUnder, writeUnder } = scope;
    // Most work is on keys that nothing else is under way on.
    const isOnKeys = this.#ranges.size === 0 && readUnder === undefined && writeUnder === undefined;
    if (isOnKeys && this.#isFree(read) && this.#isFree(write, true)) return NONE;
    const found = new Set<Turn>();
    const add = (turn: Turn | null | undefined): void => void (turn && found.add(turn));
    const addLane = (lane: Lane | undefined): void => lane?.addAll(found);
    for (const key of read ?? []) add(this.#lanes.get(key)?.write);
    for (const key of write ?? []) addLane(this.#lanes.get(key));
    for (const range of this.#ranges) {
      const { readUnder: listed, writeUnder: cleared } = range.scope;
      const covers = (prefix: string | undefined) => (key: string) =>
        prefix !== undefined && key.startsWith(prefix);
      const overlaps = (a: string | undefined, b: string | undefined): boolean =>
        a !== undefined && b !== undefined && (a.startsWith(b) || b.startsWith(a));
      if (
        range.readsOneOf(write, writeUnder) ||
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

  /** Whether nothing that is under way writes any of these keys, or reads one that is written. */
  #isFree(keys: readonly string[] = [], isWritten: boolean = false): boolean {
    for (const key of keys) {
      const lane = this.#lanes.get(key);
      if (lane !== undefined && (isWritten || lane.write !== null)) return false;
    }
    return true;
  }

  async #after<T>(
    blockers: readonly Turn[],
    work: () => MaybePromise<T>,
    ms: number,
    requests: number,
  ): Promise<T> {
    const start = performance.now();
    const lines = blockers.map((turn) => awaited(turn, start));
    const end = Math.max(...lines.map(({ until }) => until));
    // Work of another store may have a longer timeout than this one.
    const patience = Math.max(
      ...lines.map(({ since, requests }) => since + (requests && requests * ms)),
    );
    const limit = Math.min(Math.ceil(Math.min(end, patience) - start) + SLACK, LONGEST);
    let late: unknown;
    // Edge workers may never settle a promise of another request: the limit then ends the wait.
    await within(Promise.all(blockers.map(({ over }) => over)), limit).catch(
      (error) => (late = error),
    );
    // Work goes on beside a listing.
    const pending = blockers.filter(
      ({ isOver, scope }) => !isOver && scope.readUnder === undefined,
    );
    if (pending.length > 0 && patience < end - 1) {
      const error = notSent(
        "an earlier operation on this key, with a longer timeout, is still pending",
      );
      this.#unsent.set(error, Promise.all(pending.map(({ over }) => over)));
      throw error;
    }
    const timeout = blockers.find((turn) => turn.timeout !== undefined)?.timeout;
    const cause = pending.length > 0 ? late : timeout;
    if (cause !== undefined && performance.now() - start >= PATIENCE * ms * requests)
      throw notSent("earlier operations on this key were not answered in time", { cause });
    return work();
  }
}

const notSent = (reason: string, details?: { cause: unknown }): KvError =>
  new KvError("KV_CONNECTION", `not sent: ${reason}`, details);

/** The line that later work waits for. A listing is waited for {@link LISTING} at most. */
function awaited({ scope, until, since, requests }: Turn, now: number): Line {
  if (scope.readUnder === undefined) return { until, since, requests };
  const end = Math.min(until, now + LISTING);
  return { until: end, since: end, requests: 0 };
}

/** The line of operations that ends with work which waits for these turns. */
function lineBehind(turns: readonly Turn[], ms: number, requests: number): Line {
  const now = performance.now();
  let last: Line = { until: now, since: now, requests: 0 };
  for (const turn of turns) {
    const line = awaited(turn, now);
    if (line.until > last.until) last = line;
  }
  return {
    until: last.until + ms * requests,
    since: last.since,
    requests: last.requests + requests,
  };
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
