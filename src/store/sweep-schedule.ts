import { SWEEP } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { load } from "../platform/load.ts";

/** Counts writes. Resolves after a sweep, if one is due; `undefined` otherwise. */
export function sweepAfter(
  { connection, timeout }: StoreContext,
  writes: number,
): Promise<void> | undefined {
  connection.writes += writes;
  if (connection.writes < connection.sweepAt) return undefined;
  connection.writes = 0;
  // One sweep at a time, however many writes come meanwhile.
  connection.sweepAt = Infinity;
  return load()
    .then(({ sweep }) => sweep(connection, timeout))
    .catch(() => {
      // The write that this rides on has succeeded: a sweep that cannot even be loaded must not
      // take that back.
      connection.sweepAt = SWEEP;
    });
}
