import type { Store } from "../api.ts";
import type { Adapter } from "../clients/adapter.ts";
import type { Source } from "../clients/define.ts";
import type { Order } from "../concurrency/order.ts";
import { lazy } from "../platform/load.ts";
import type { Supports } from "../types.ts";
import { Connection } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { createStore } from "./store.ts";
import type { Transform } from "./transformed-adapter.ts";

/** How a store is put over another one that keeps something else. */
export interface Layer {
  /** What the new store can do, by what the client can do. */
  supports(client: Supports): Supports;
  /** What becomes of the values; `client` says what the client can do. */
  transform(client: Supports): Transform;
  /** Changes the adapter itself, before the values are transformed. */
  adapter?(inner: () => Adapter): Promise<Adapter>;
  /** The call order of the new store. Default: that of the client. */
  order?(inner: Order): Order;
}

/**
 * A store over the client of another store, with its prefix, expiry, codec and timeout. It shares
 * the call order and ends the client when it is closed.
 */
export function transformedStore<V>(context: StoreContext, layer: Layer): Store<V> {
  const { connection: inner, undated } = context;
  const orderNow = (): Order => layer.order?.(inner.order) ?? inner.order;

  /** The adapter of the client, for each call. */
  const adapter = (): Adapter => {
    if (inner.closing !== null) throw lazy.code!.closedError(inner);
    return inner.adapter!;
  };

  const over = (source: Source): Source => ({
    type: source.type,
    supports: source.settled === undefined ? layer.supports(source.supports) : source.supports,
    ...(source.settled && { settled: settledOver(source.settled) }),
    get order() {
      return orderNow();
    },
    get address() {
      return inner.source.address;
    },
    async open() {
      const [{ transformedAdapter }] = await Promise.all([
        import("./transformed-adapter.ts"),
        inner.open(),
      ]);
      const changed = await layer.adapter?.(adapter);
      const made = transformedAdapter(
        changed === undefined ? adapter : () => (adapter(), changed),
        layer.transform(inner.source.supports),
        undated,
      );
      return { ...made, close: () => inner.close(context.timeout) };
    },
    async close() {
      await inner.close(context.timeout);
      return true;
    },
  });

  const settledOver = (settled: Promise<Source>): Promise<Source> => {
    const made = settled.then(over);
    // The first operation reports the error.
    made.catch(() => {});
    return made;
  };

  const source = over(inner.source);
  const connection = new Connection(source, () => source.settled ?? source);
  // Operations on both stores are in order also while the client is opened.
  connection.order = orderNow();
  return createStore<V>({ ...context, connection }, {});
}
