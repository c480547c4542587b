import type { CommitWrite, Store } from "../api.ts";
import { type Index, standing } from "./indexes.ts";

/** The change of one index for one key: from where it was found to where it is found now. */
export interface Move {
  readonly index: Index;
  readonly text: string;
  readonly from: string | null;
  readonly to: string | null;
  /** The deadline of the entry, which is that of what the index keeps too. */
  readonly expires: Date | null;
}

/**
 * The maintenance of indexes: the writes, their checks, and the unique index in which a place is
 * taken.
 */
export interface IndexWrites {
  readonly writes: CommitWrite[];
  readonly checks: { key: string; version: string | null }[];
  readonly taken: Index | null;
}

/** The indexWrites for some moves, after a look at the places that only one key may have. */
export async function indexWritesOf(
  store: Store<unknown>,
  moves: readonly Move[],
): Promise<IndexWrites> {
  const indexWrites: { -readonly [K in keyof IndexWrites]: IndexWrites[K] } = {
    writes: [],
    checks: [],
    taken: null,
  };
  const unique = moves.filter(({ index }) => index.isUnique);
  const places = new Set(
    unique.flatMap(({ from, to }) => [from, to]).filter((place) => place !== null),
  );
  const found = new Map(
    await Promise.all(
      [...places].map(async (place) => [place, await store.entry<unknown>(place)] as const),
    ),
  );
  for (const [key, entry] of found)
    indexWrites.checks.push({ key, version: entry?.version ?? null });

  const freed = new Set<string>();
  for (const { index, text, from, to } of moves) {
    // In an index that was not made anew for old data, the place may be another's.
    if (from === null || from === to || (index.isUnique && found.get(from)?.value !== text))
      continue;
    freed.add(from);
    indexWrites.writes.push({ key: from, value: null });
  }

  const claimed = new Set<string>();
  for (const { index, text, to, expires } of moves) {
    if (to === null) continue;
    const owner = found.get(to) ?? null;
    if (claimed.has(to)) indexWrites.taken = index;
    else if (index.isUnique && owner !== null && owner.value !== text && !freed.has(to)) {
      // A write that bypassed the index may have left its entry there.
      const other = await standing(store, index, owner.value);
      if (other?.place === to) indexWrites.taken = index;
      else if (other !== null) indexWrites.checks.push({ key: other.text, version: other.version });
    }
    claimed.add(to);
    indexWrites.writes.push({ key: to, value: text, expires });
  }
  return indexWrites;
}
