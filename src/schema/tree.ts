import { type Guarded, guardOf } from "../store/guarded.ts";
import { batches, whole } from "../store/pages.ts";
import type { SchemaBase } from "./base.ts";
import { isPartName } from "./parts-head.ts";
import { decodeName, SEPARATOR } from "./path.ts";
import { isFresh } from "../record/freshness.ts";

/** The keys below a path, without the prefix of the store underneath, in bounded batches. */
async function* below(
  { context }: SchemaBase,
  adapter: Guarded,
  path: string,
): AsyncGenerator<string[], void, undefined> {
  const { connection, prefix, timeout } = context;
  const within = prefix + path + SEPARATOR;
  // Collections of the client's own are no records, and listed by their names alone.
  const listed: Guarded =
    adapter.names === undefined ? adapter : { ...adapter, iterate: adapter.names };
  for await (const batch of batches(listed, whole(within), false)) {
    const now = Date.now();
    yield batch
      .filter(([key, record]) => key !== within && isFresh(record, now))
      .map(([key]) => key.slice(prefix.length));
    // Closing the store ends the pending operations.
    await guardOf(connection, timeout);
  }
}

/** The names directly below a path, each once, for an operation that has its turn. */
export async function* childrenOf(
  base: SchemaBase,
  adapter: Guarded,
  path: string,
): AsyncGenerator<string, void, undefined> {
  const seen = new Set<string>();
  for await (const keys of below(base, adapter, path)) {
    for (const key of keys) {
      const [part] = key.slice(path.length + 1).split(SEPARATOR, 1) as [string];
      if (seen.has(part) || isPartName(part)) continue;
      seen.add(part);
      yield decodeName(part);
    }
  }
}

/** Removes everything below a path, for an operation that has its turn. */
export async function eraseBelow(base: SchemaBase, adapter: Guarded, path: string): Promise<void> {
  // Deleting while listing may hide keys from some clients: listed again for as long as that leaves
  // fewer.
  for (let before = Infinity, found = 0; ; before = found) {
    found = 0;
    for await (const keys of below(base, adapter, path)) {
      found += keys.length;
      await base.turns.inside.delMany(keys);
    }
    if (found === 0 || found >= before) return;
  }
}
