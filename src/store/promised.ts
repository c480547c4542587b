import type { Source } from "../clients/define.ts";
import type { StoreContext } from "./context.ts";
import { ready } from "./guarded.ts";
import { prefixedAdapter } from "./prefixed-adapter.ts";
import { PrefixedOrder } from "./prefixed-order.ts";
import type { KvRecord } from "../record/types.ts";

/**
 * The store that a promise has settled to, as a client of the store over the promise. Records among
 * `undated` get its default expiry.
 */
export async function sourceOver(base: StoreContext, undated: WeakSet<KvRecord>): Promise<Source> {
  const { connection, prefix, timeout } = base;
  const { type, supports } = (await connection.source.settled) ?? connection.source;
  return {
    type,
    supports,
    get order() {
      return new PrefixedOrder(base.order ?? connection.order, prefix);
    },
    open: async () => prefixedAdapter(base, await ready(connection, timeout), undated),
    close: async () => {
      await connection.close(timeout);
      return true;
    },
  };
}
