import type { Connection } from "./connection.ts";
import { failWith } from "./failure.ts";
import { within } from "../concurrency/timeout.ts";
import type { MaybePromise } from "../types.ts";
import type { Adapter } from "../clients/adapter.ts";

/**
 * An open adapter as operations see it: its failures are KvErrors, and a call that is not answered
 * in time fails.
 */
export interface Guarded extends Adapter {
  /**
   * Waits for work that takes several calls. It fails when the value of `progress` does not change
   * within the timeout.
   */
  wait<T>(work: Promise<T>, progress: () => number): Promise<T>;
}

/** By how many times a call about this many keys may exceed the timeout: once for each thousand. */
export const allowance = (keys: readonly unknown[]): number =>
  Math.max(1, Math.ceil(keys.length / 1000));

/** How many times the timeout a call that may be about the whole store may take. */
const LARGE = 10;

/** How many times the timeout a call may take, by the longest list among its arguments. */
const timesOf = (args: readonly unknown[]): number =>
  Math.max(1, ...args.map((arg) => (Array.isArray(arg) ? allowance(arg) : 1)));

/**
 * The same adapter with errors and time limits. Single reads and writes stay unguarded: they go
 * through the store's own functions, and another function between would cost as much as the work.
 * `iterate` stays unguarded too: `batches` waits for its items.
 */
function guarded(connection: Connection, adapter: Adapter, timeout: number): Guarded {
  /** A method of the adapter; `describe` names the call in errors. */
  const limit = <A extends unknown[], T>(
    method: ((...args: A) => MaybePromise<T>) | undefined,
    describe: string | ((...args: A) => [action: string, key: string]),
    times: (args: A) => number = timesOf,
  ): ((...args: A) => MaybePromise<T>) | undefined =>
    method &&
    ((...args) => {
      const fail = (error: unknown): never => {
        const [action, key] = typeof describe === "string" ? [describe] : describe(...args);
        return failWith(connection, error, action, key);
      };
      try {
        const result = method.apply(adapter, args);
        return result instanceof Promise
          ? within(result, timeout * times(args), connection).catch(fail)
          : result;
      } catch (error) {
        return fail(error);
      }
    });

  return {
    ...adapter,
    has: limit(adapter.has, "has"),
    getMany: limit(adapter.getMany, "getMany"),
    setMany: limit(adapter.setMany, "setMany"),
    commit: limit(adapter.commit, "commit"),
    count: limit(adapter.count, (key) => ["count", key]),
    touch: limit(adapter.touch, "touch"),
    add: limit(adapter.add, "add"),
    page: limit(adapter.page, "listing"),
    seek: limit(adapter.seek, "listing"),
    walk: limit(adapter.walk, "listing"),
    freshKeys: limit(adapter.freshKeys, "keys"),
    keys: limit(adapter.keys, "keys"),
    values: limit(adapter.values, "values"),
    entries: limit(adapter.entries, "entries"),
    clear: limit(adapter.clear, "clear", () => LARGE),
    prune: limit(adapter.prune, "prune", () => LARGE),
    watch: limit(adapter.watch, "watching"),
    structure: limit(adapter.structure, (name, { key }) => [name, key]),
    async wait(work, progress) {
      for (let before = progress(); ; before = progress()) {
        try {
          return await within(work, timeout, connection);
        } catch (error) {
          if ((error as Error).name !== "TimeoutError" || progress() === before)
            return failWith(connection, error, "listing");
        }
      }
    },
  };
}

// By adapter and timeout. Nearly every adapter is used with one timeout.
const guards = new WeakMap<Adapter, Map<number, Guarded>>();

/**
 * The guarded adapter of a connection, which is opened if it is not.
 *
 * @throws {KvError} KV_CLOSED after `close()`; KV_CONNECTION when the client cannot be opened, or
 * not in time.
 */
export function guardOf(connection: Connection, timeout: number): Guarded | Promise<Guarded> {
  const adapter = ready(connection, timeout);
  return adapter instanceof Promise
    ? adapter.then((opened) => guard(connection, opened, timeout))
    : guard(connection, adapter, timeout);
}

/** The adapter of a connection, which is opened if it is not: the same errors. */
export function ready(connection: Connection, timeout: number): Adapter | Promise<Adapter> {
  const opening = connection.open();
  return opening instanceof Promise ? inTime(connection, opening, timeout) : opening;
}

/** Waits up to `timeout` milliseconds for a client to open. */
export function inTime(
  connection: Connection,
  opening: Adapter | Promise<Adapter>,
  timeout: number,
): Promise<Adapter> {
  return within(Promise.resolve(opening), timeout, connection).catch((error) =>
    failWith(connection, error, "connecting"),
  );
}

/** The guarded adapter of a connection that is open. */
export function guard(connection: Connection, adapter: Adapter, timeout: number): Guarded {
  const made = guards.get(adapter) ?? new Map<number, Guarded>();
  const found = made.get(timeout) ?? guarded(connection, adapter, timeout);
  guards.set(adapter, made.set(timeout, found));
  return found;
}
