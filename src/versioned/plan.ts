import type { CommitWrite, Entry, Store } from "../api.ts";
import { isKvError, type KvError } from "../errors.ts";
import { deadline } from "../expires.ts";
import type { Expires } from "../types.ts";
import type { Change, State } from "./change.ts";
import { type Index, placeIn, placeNow } from "./indexes.ts";
import { type IndexWrites, indexWritesOf, type Move } from "./index-writes.ts";
import { decodeKey } from "./key.ts";
import { decodeVersioned, encodeVersioned } from "./value.ts";

/** The writes of a transaction, and the versions that they rest on. */
interface Plan extends IndexWrites {
  readonly texts: readonly string[];
}

/** The result of the changes: their writes, and the moves of their entries in the indexes. */
interface Outcome {
  readonly writes: CommitWrite[];
  readonly moves: Move[];
}

/**
 * Reads the entries that decide, and makes the plan. An error of the changes is a `refusal`: a
 * failed check of the caller is reported before it.
 */
export async function planOf(
  store: Store<unknown>,
  indexes: readonly Index[],
  byDefault: Expires,
  changes: readonly Change[],
): Promise<Plan & { readonly refusal?: KvError }> {
  const texts = [...new Set(changes.map(({ text }) => text))];
  // Only counters and indexes depend on the entries before. A counter does not if the transaction
  // sets the key first.
  const decisive = texts.filter(
    (text) =>
      indexes.some(({ base }) => text.startsWith(base)) ||
      changes.find((change) => change.text === text)!.isRelative,
  );
  const found = new Map<string, Entry<unknown> | null>(
    await Promise.all(
      decisive.map(async (text) => [text, await store.entry<unknown>(text)] as const),
    ),
  );
  const checks = decisive.map((text) => ({ key: text, version: found.get(text)?.version ?? null }));
  const before = new Map<string, State>();
  for (const [text, entry] of found)
    if (entry !== null)
      before.set(text, { value: decodeVersioned(entry.value), expires: undefined });

  let outcome: Outcome;
  try {
    outcome = outcomeOf(indexes, byDefault, changes, texts, before);
  } catch (error) {
    if (!isKvError(error)) throw error;
    return { texts, checks, writes: [], taken: null, refusal: error };
  }
  const indexWrites = await indexWritesOf(store, outcome.moves);
  return {
    texts,
    checks: [...checks, ...indexWrites.checks],
    writes: [...outcome.writes, ...indexWrites.writes],
    taken: indexWrites.taken,
  };
}

/** @throws {KvError} when a change cannot be made. */
function outcomeOf(
  indexes: readonly Index[],
  byDefault: Expires,
  changes: readonly Change[],
  texts: readonly string[],
  before: ReadonlyMap<string, State>,
): Outcome {
  const after = new Map<string, State | undefined>(before);
  for (const { text, apply } of changes) after.set(text, apply(after.get(text)));
  const moves: Move[] = [];
  const writes: CommitWrite[] = [];
  const now = Date.now();
  for (const text of texts) {
    const old = before.get(text);
    const state = after.get(text);
    const at = deadline(state?.expires === undefined ? byDefault : state.expires, now);
    // One moment for the entry and its places in indexes: they expire together.
    const expires = at === null ? null : new Date(at);
    writes.push(
      state === undefined
        ? { key: text, value: null }
        : { key: text, value: encodeVersioned(state.value), expires },
    );
    const isIndexed = indexes.some(({ base }) => text.startsWith(base));
    const key = isIndexed ? decodeKey(text)! : null;
    for (const index of key === null ? [] : indexes)
      moves.push({
        index,
        text,
        from: old === undefined ? null : placeNow(index, text, key!, old.value),
        to: state === undefined ? null : placeIn(index, text, key!, state.value),
        expires,
      });
  }
  return { writes, moves };
}
