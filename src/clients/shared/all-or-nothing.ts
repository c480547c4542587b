import type { CommitResult } from "../../types.ts";
import type { Write } from "../../record/types.ts";
import { versionOf } from "../../record/version.ts";

/** The answer of `commit()` when all writes were made. */
export function committed(writes: readonly Write[]): CommitResult {
  const last = writes.findLast(({ record }) => record !== null)?.record;
  return { ok: true, version: (last && versionOf(last)) ?? "" };
}

/**
 * Makes all changes one after the other; when one fails, those before it are taken back and its
 * error is thrown. `write` answers with the old item, which `restore` puts back.
 */
export function writeAll<Before>(
  writes: readonly Write[],
  write: (change: Write) => Before,
  restore: (key: string, before: Before) => void,
): void {
  const done: [key: string, before: Before][] = [];
  try {
    for (const change of writes) done.push([change.key, write(change)]);
  } catch (error) {
    // Backwards: each step returns to a state that fitted a moment ago.
    for (const [key, before] of done.reverse()) restore(key, before);
    throw error;
  }
}
