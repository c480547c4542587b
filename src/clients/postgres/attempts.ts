import { KvError } from "../../errors.ts";

/** How often a statement is tried that others were in the way of. */
const TRIES = 20;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** The error in the words of this library, where it has a code for it. */
function translated(cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === "53100")
    return new KvError(
      "KV_QUOTA",
      "the server has no more room: nothing was written; free disk space there",
      { cause },
    );
  if (code === "53200")
    return new KvError(
      "KV_QUOTA",
      "the server is out of memory, or of room for locks: nothing was written; write less at " +
        "once, or raise its max_locks_per_transaction or its memory",
      { cause },
    );
  // The last two: a text that JavaScript cannot make, and one that Postgres cannot.
  const isTooLarge =
    code === "54000" ||
    cause instanceof RangeError ||
    (code === "XX000" && /invalid memory alloc|string buffer/.test((cause as Error).message));
  if (isTooLarge)
    return new KvError(
      "KV_TOO_LARGE",
      "the value is larger than Postgres can hold: nothing was written",
      { cause },
    );
  return cause;
}

/**
 * Makes statements: again when a deadlock was resolved at their expense, or the isolation of
 * transactions asks for it; once more when the table was gone, after making it. In a transaction of
 * the user's own, which such a failure ends, it is told as it is.
 */
export function attempts(
  makeTable: () => Promise<void>,
): <T>(work: () => Promise<T>) => Promise<T> {
  return async (work) => {
    let first: unknown;
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        const code = codeOf(error);
        // The transaction around it has failed by then.
        if (first !== undefined && code === "25P02") throw translated(first);
        const isInTheWay = code === "40P01" || code === "40001";
        if (tries >= (isInTheWay ? TRIES : 2) || !(isInTheWay || code === "42P01"))
          throw translated(error);
        first ??= error;
        if (code === "42P01")
          await makeTable().catch((failure) =>
            Promise.reject(codeOf(failure) === "25P02" ? translated(first) : failure),
          );
      }
    }
  };
}
