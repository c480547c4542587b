import type { Store } from "../api.ts";
import type { Counted } from "../clients/adapter.ts";
import type { StoreContext } from "../store/context.ts";
import { contextOf } from "../store/store.ts";
import { Turns } from "../store/turns.ts";
import type { Addition } from "./native-count.ts";

/**
 * Adds to a number in one step where the client can. Elsewhere, and where the client found no
 * number, `otherwise` does the work with compare-and-set, in the same turn.
 */
export async function countWith<V>(
  store: Store<V>,
  key: string,
  addition: Addition,
  otherwise: (inside: Store<V>) => Promise<Counted | null>,
): Promise<Counted | null> {
  const context = contextOf(store);
  const count = (): Promise<Counted | null> => countIn(context, store, key, addition, otherwise);
  if (context?.tracer === undefined) return count();
  return context.tracer.run(
    "count",
    context,
    () => [context.prefix + key],
    async (span) => {
      const counted = await count();
      span.outcome = counted === null ? "refused" : "ok";
      return counted;
    },
  );
}

async function countIn<V>(
  context: StoreContext | undefined,
  store: Store<V>,
  key: string,
  addition: Addition,
  otherwise: (inside: Store<V>) => Promise<Counted | null>,
): Promise<Counted | null> {
  if (context === undefined || context.codec !== undefined) return otherwise(store);
  const { adapter } = context.connection;
  if (adapter !== null && adapter.count === undefined) return otherwise(store);
  const turns = new Turns(context);
  return turns.run({ write: [key] }, async (opened) => {
    const inside = turns.inside as Store<V>;
    if (opened.count === undefined) return otherwise(inside);
    // Only programs over a client that counts load it.
    const { nativeCount } = await import("./native-count.ts");
    const counted = await nativeCount(context, key, addition, opened);
    return counted === undefined ? otherwise(inside) : counted;
  });
}
