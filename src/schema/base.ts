import type { Store } from "../api.ts";
import { Connection } from "../store/connection.ts";
import type { StoreContext } from "../store/context.ts";
import { KvError } from "../errors.ts";
import { MEMORY } from "../clients/manifests.ts";
import { mapAdapter } from "../clients/shared/map-adapter.ts";
import { Order } from "../concurrency/order.ts";
import { contextOf, contextOver, createStore } from "../store/store.ts";
import { Turns } from "../store/turns.ts";
import type { Supports } from "../types.ts";

/** Where the fields of a typed store are kept: all that lie under one root share it. */
export interface SchemaBase {
  /** The store underneath, without its codec: fields encode their values themselves. */
  readonly store: Store<unknown>;
  /** That of the store as it was given. */
  readonly context: StoreContext;
  /** The turns of operations of several steps. */
  readonly turns: Turns;
}

/**
 * The base on a store; a memory of its own without one.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store.
 */
export function groundOf(store?: unknown): SchemaBase {
  const context = store === undefined ? inMemory() : contextOf(store);
  if (context === undefined)
    throw new KvError(
      "KV_INVALID_CLIENT",
      "a typed store is put over a store: { store: kv(client) }",
    );
  return groundOver(context);
}

function groundOver(context: StoreContext): SchemaBase {
  const plain = { ...context, codec: undefined };
  return { context, store: createStore<unknown>(plain, {}), turns: new Turns(plain) };
}

/** The same base for calls inside a turn: they do not wait for the turn itself. */
export const insideOf = ({ context }: SchemaBase): SchemaBase =>
  groundOver({ ...context, order: new Order() });

function inMemory(): StoreContext {
  // The capabilities of MEMORY do not depend on a client.
  const source = {
    type: MEMORY.type,
    supports: MEMORY.supports as Supports,
    open: () => mapAdapter(new Map()),
  };
  return contextOver(new Connection(source));
}
