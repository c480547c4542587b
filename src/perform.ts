import type { StoreContext } from "./core.ts";
import type { Scope } from "./order.ts";
import type { Adapter, MaybePromise } from "./types.ts";

/** How many times the timeout an operation on the whole store, or one of many steps, may hold back others. */
export const WHOLE = 60;

/**
 * Runs work on some keys in call order, with the adapter of the store's client. Opens the client if it is not open.
 * The work may take the timeout so many times. `isSingle` is for work of one call of the adapter.
 */
export function inOrder<T>(context: StoreContext, scope: Scope, work: (adapter: Adapter) => MaybePromise<T>, times: number = 1, isSingle: boolean = false): MaybePromise<T> {
  const { connection, timeout } = context;
  const { opened } = connection;
  const ready = connection.ready(timeout);
  const run = (adapter: Adapter): MaybePromise<T> => {
    const order = context.order ?? connection.order;
    return order.run(scope, () => work(adapter), timeout * times, isSingle && adapter.inOrder);
  };
  // A client that was opened before and is not ready was closed.
  const result = !(ready instanceof Promise) ? run(ready) : opened === null ? whenOpen(context, ready, run) : (ready as Promise<never>);
  return result instanceof Promise ? connection.count(result) : result;
}

/** Runs in call order once the client is open; rejects with the opening. */
function whenOpen<T>(context: StoreContext, opening: Promise<Adapter>, run: (adapter: Adapter) => MaybePromise<T>): Promise<T> {
  const { connection } = context;
  return new Promise((resolve, reject) => {
    let isOver = false;
    opening.catch((error) => {
      isOver = true;
      reject(error);
    });
    const begin = async (): Promise<void> => {
      if (isOver) return;
      if (connection.opened !== null) return resolve(run(connection.opened));
      // The turn of an operation is not held while the client is opened.
      await opening.then((adapter) => resolve(run(adapter)));
    };
    (context.order ?? connection.order).later(begin).catch(reject);
  });
}
