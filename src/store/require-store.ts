import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { contextOf } from "./store.ts";

/** @throws {KvError} KV_INVALID_CLIENT for anything but a store. */
export function requireStore(store: unknown, where: string): asserts store is Store {
  if (contextOf(store) === undefined)
    throw new KvError("KV_INVALID_CLIENT", `${where} needs a store: pass what kv(client) returns`);
}

/** @throws {KvError} KV_NOT_SUPPORTED where a client is known to have no compare-and-set. */
export function requireAtomic(store: Store, where: string): void {
  if (store.type !== "PENDING" && store.supports.atomic === "no")
    throw new KvError(
      "KV_NOT_SUPPORTED",
      `${where} needs compare-and-set, and ${store.type} offers none (supports.atomic is "no")`,
      { client: store.type },
    );
}
