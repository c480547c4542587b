import type { Connection } from "./connection.ts";
import { failWith } from "./failure.ts";
import { within } from "../concurrency/timeout.ts";
import type { Adapter, StructurePlace } from "../clients/adapter.ts";

/**
 * An open adapter as operations see it: its failures are errors of ours, and its answers come in
 * time or are failures.
 */
export interface Guarded extends Adapter {
  /**
   * The same for work that takes several calls: it may take as long as it likes while what
   * `progress` tells goes on changing in time.
   */
  wait<T>(work: Promise<T>, progress: () => number): Promise<T>;
}

type Method = (this: Adapter, ...args: unknown[]) => unknown;

/** How many times the timeout a call about so many keys may take: once for each thousand. */
export const allowance = (keys: readonly unknown[]): number =>
  Math.max(1, Math.ceil(keys.length / 1000));

/** The same for any call; ten times where the work may be as large as the store. */
function timesOf(action: string, args: readonly unknown[]): number {
  if (action === "clear" || action === "prune") return 10;
  return Math.max(1, ...args.map((arg) => (Array.isArray(arg) ? allowance(arg) : 1)));
}

/**
 * The same adapter, whose failures are all of our class and whose answers come in time. Single
 * reads and writes are left as they are: they go through the store's `read` and `put`, where a
 * function between would cost as much as the work. What `iterate` yields is waited for where it is
 * gathered.
 */
function guarded(connection: Connection, adapter: Adapter, timeout: number): Guarded {
  const wait = async (work: Promise<unknown>, progress: () => number): Promise<unknown> => {
    for (let before = progress(); ; before = progress()) {
      try {
        return await within(work, timeout, connection);
      } catch (error) {
        if ((error as Error).name !== "TimeoutError" || progress() === before)
          return failWith(connection, error, "listing");
      }
    }
  };
  const guard: { [name: string]: unknown } = { ...adapter, wait };
  for (const [action, method] of Object.entries(adapter) as [string, Method][]) {
    if (typeof method !== "function" || ["get", "set", "del", "iterate"].includes(action)) continue;
    guard[action] = (...args: unknown[]) => {
      // What is asked of a structure says its name, and where it is.
      const failing = (error: unknown): never =>
        action === "structure"
          ? failWith(connection, error, args[0] as string, (args[1] as StructurePlace).key)
          : failWith(connection, error, action === "page" ? "listing" : action);
      try {
        const result = method.apply(adapter, args);
        return result instanceof Promise
          ? within(result, timeout * timesOf(action, args), connection).catch(failing)
          : result;
      } catch (error) {
        return failing(error);
      }
    };
  }
  return guard as unknown as Guarded;
}

// By adapter and timeout: of the latter nearly every adapter has one.
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

/** What a client opens to, within so many milliseconds. */
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
