import type { StoreContext } from "./context.ts";
import type { Scope } from "../concurrency/lanes.ts";
import { lazy, load } from "../platform/load.ts";
import type { Order } from "../concurrency/order.ts";
import type { MaybePromise } from "../types.ts";
import type { Adapter } from "../clients/adapter.ts";

/**
 * How many times the timeout an operation on the whole store, or one of many steps, may hold back
 * others.
 */
export const WHOLE = 60;

/** The call order that the operations of a store keep. */
export const orderIn = (context: StoreContext): Order => context.order ?? context.connection.order;

/**
 * Runs work on some keys in call order, with the adapter of the store's client. Opens the client if
 * it is not open. The work may take the timeout so many times. `calls` describes the work: one call
 * of the adapter on one key, one call on several keys, an addition to a number, or anything else.
 */
export function inOrder<T>(
  context: StoreContext,
  scope: Scope,
  work: (adapter: Adapter) => MaybePromise<T>,
  times: number = 1,
  calls?: "item" | "one" | "counts",
): MaybePromise<T> {
  const { connection, timeout } = context;
  const run = (): MaybePromise<T> => {
    const adapter = connection.adapter!;
    const { inOrder: applied } = adapter;
    // One call on several keys may still be several requests to the client. Reads are in order
    // among all calls alone.
    const isApplied = applied === "writes" ? calls && scope.write : calls === "item";
    const kept = calls === "counts" && applied === "all" ? calls : (isApplied && applied) || null;
    return lazy
      .code!.lanesOf(orderIn(context))
      .run(scope, () => work(adapter), timeout, kept, times);
  };
  const result =
    connection.adapter !== null && lazy.code !== undefined ? run() : whenReady(context, run);
  return result instanceof Promise ? connection.count(result) : result;
}

/**
 * Runs in call order once the client is open and the code is loaded. Rejects with the opening,
 * which has to come in time.
 */
export function whenReady<T>(context: StoreContext, run: () => MaybePromise<T>): Promise<T> {
  const { connection, timeout } = context;
  const opening = connection.open();
  // A connection that was closed.
  if (connection.closing !== null) return opening as Promise<never>;
  const loading = load();
  if (lazy.code === undefined) orderIn(context).hold(loading);
  return new Promise((resolve, reject) => {
    let isOver = false;
    const inTime = async (): Promise<void> => {
      try {
        await (await loading).inTime(connection, opening, timeout);
      } catch (error) {
        isOver = true;
        throw error;
      }
    };
    const begin = async (): Promise<void> => {
      if (isOver) return;
      // The turn of an operation is not held while the client is opened.
      if (lazy.code === undefined || connection.adapter === null)
        await Promise.all([loading, opening]);
      resolve(run());
    };
    if (opening instanceof Promise) inTime().catch(reject);
    orderIn(context).later(begin).catch(reject);
  });
}
