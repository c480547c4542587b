import { SWEEP } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { load } from "../platform/load.ts";

/** Counts writes. Resolves behind a sweep, if one is due; `undefined` otherwise. */
export function sweepAfter(context: StoreContext, writes: number): Promise<void> | undefined {
  const { connection } = context;
  connection.writes += writes;
  return connection.writes < connection.sweepAt ? undefined : sweepNow(context);
}

async function sweepNow({ connection, timeout }: StoreContext): Promise<void> {
  connection.writes = 0;
  if (connection.source.supports.expires === "native") return;
  // One sweep at a time, however many writes come meanwhile.
  connection.sweepAt = Infinity;
  // The write that this rides on has succeeded: a sweep that cannot even be loaded must not take
  // that back.
  connection.sweepAt = await load()
    .then(({ sweep }) => sweep(connection, timeout))
    .catch(() => SWEEP);
}
