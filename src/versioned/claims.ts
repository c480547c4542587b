import type { CommitCheck } from "../api.ts";
import type { Change, State } from "./change.ts";
import { type Index, placeNow } from "./indexes.ts";
import { decodeKey } from "./key.ts";

/** The new values of the changed keys that do not depend on their old values. */
function statesAfter(changes: readonly Change[]): Map<string, State | undefined> {
  const states = new Map<string, State | undefined>();
  for (const { text, isRelative, apply } of changes) {
    if (isRelative) states.delete(text);
    else states.set(text, apply(undefined));
  }
  return states;
}

/**
 * The texts that a commit reads and writes, with the places that its entries get in the indexes.
 */
export function claimsOf(
  indexes: readonly Index[],
  checks: readonly CommitCheck[],
  changes: readonly Change[],
): string[] {
  const texts = new Set([...checks.map(({ key }) => key), ...changes.map(({ text }) => text)]);
  if (indexes.length === 0) return [...texts];
  for (const [text, state] of statesAfter(changes)) {
    if (state === undefined) continue;
    const key = decodeKey(text)!;
    for (const index of indexes) {
      const place = placeNow(index, text, key, state.value);
      if (place !== null) texts.add(place);
    }
  }
  return [...texts];
}

const commits = new WeakMap<object, Promise<void>>();

/**
 * Runs a commit that may meet a taken place of a unique index. `earlier` resolves when all such
 * commits that were called before are over: only then it is certain that the place stays taken.
 */
export function behind<T>(
  connection: object,
  work: (earlier: Promise<void>) => Promise<T>,
): Promise<T> {
  const earlier = commits.get(connection) ?? Promise.resolve();
  const result = work(earlier);
  commits.set(
    connection,
    Promise.all([earlier, result.catch(() => {})]).then(() => undefined),
  );
  return result;
}
