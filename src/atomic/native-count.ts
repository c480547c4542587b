import type { Counted, CountRules } from "../clients/adapter.ts";
import { locate, recordOf } from "../store/checked.ts";
import type { StoreContext } from "../store/context.ts";
import type { Guarded } from "../store/guarded.ts";
import { sweepAfter } from "../store/sweep-schedule.ts";
import { stampFor } from "../record/version.ts";
import type { Expires } from "../types.ts";

/** The summand, and the deadline of a number that starts with it. */
export interface Addition extends CountRules {
  readonly by: number;
  readonly expires: Expires | undefined;
}

/** The answer of a client that counts by itself; `undefined` when it has none. */
export async function nativeCount(
  context: StoreContext,
  key: string,
  { by, expires, ...rules }: Addition,
  adapter: Guarded,
): Promise<Counted | null | undefined> {
  const full = locate(context, key);
  const record = recordOf(context, full, by, { expires }, stampFor(context.connection.source));
  if (record === null) return undefined;
  const counted = await adapter.count!(full, record, rules);
  if (counted) await sweepAfter(context, 1);
  return counted;
}
