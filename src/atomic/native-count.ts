import type { Store } from "../api.ts";
import type { Counted, CountRules } from "../clients/adapter.ts";
import { locate, recordOf } from "../store/checked.ts";
import type { StoreContext } from "../store/context.ts";
import { contextOf } from "../store/store.ts";
import { sweepAfter } from "../store/sweep-schedule.ts";
import { Turns } from "../store/turns.ts";
import type { Guarded } from "../store/guarded.ts";
import type { Expires } from "../types.ts";
import { stampFor } from "../record/version.ts";

/** What is added to a number, and the deadline of a number that starts with it. */
export interface Addition extends CountRules {
  readonly by: number;
  readonly expires: Expires | undefined;
}

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
  if (context === undefined || context.codec !== undefined) return otherwise(store);
  const { adapter } = context.connection;
  if (adapter !== null && adapter.count === undefined) return otherwise(store);
  const turns = new Turns(context);
  return turns.run({ write: [key] }, async (opened) => {
    const counted = await nativeCount(context, key, addition, opened);
    return counted === undefined ? otherwise(turns.inside as Store<V>) : counted;
  });
}

/** The answer of the client; `undefined` when it has none. */
async function nativeCount(
  context: StoreContext,
  key: string,
  { by, expires, ...rules }: Addition,
  adapter: Guarded,
): Promise<Counted | null | undefined> {
  if (adapter.count === undefined) return undefined;
  const full = locate(context, key);
  const record = recordOf(context, full, by, { expires }, stampFor(context.connection.source));
  if (record === null) return undefined;
  const counted = await adapter.count(full, record, rules);
  if (counted) await sweepAfter(context, 1);
  return counted;
}
