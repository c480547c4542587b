import type { Write } from "../../record/types.ts";
import type { Deadlines } from "./deadlines.ts";

/**
 * Notes the deadlines of writes when the writes end, whether or not they fail. Noting them earlier
 * would lose them: a round of sweeps that begins in between does not see the records.
 */
export async function noteAfter<T>(
  deadlines: Deadlines,
  writes: readonly Write[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } finally {
    if (writes.some(({ record }) => record !== null && record.expires !== null))
      deadlines.known = true;
  }
}
