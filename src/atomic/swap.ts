import type { Entry, SetOptions, Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import { inTurn } from "../store/in-turn.ts";
import { checkOptions } from "../platform/options.ts";

/**
 * The decision on a value: a new one with its options, `null` to delete, `undefined` to leave it.
 */
export type Next = { value: unknown; options: SetOptions } | null | undefined;

/** An attempt that waits for the caller's decision on an entry. */
interface Undecided<V> {
  readonly entry: Entry<V> | null;
  readonly next: Promise<Next>;
}

/**
 * Reads, decides and writes, again and again until no other write came in between. Resolves to the
 * old entry.
 *
 * It keeps its place in the call order, unless `decide` takes time: it may then use the store
 * itself.
 */
export async function swap<V>(
  store: Store<V>,
  key: string,
  decide: (entry: Entry<V> | null) => Next | Promise<Next>,
): Promise<Entry<V> | null> {
  const attempt = async (
    inside: Store<V>,
  ): Promise<{ entry: Entry<V> | null } | Undecided<V> | null> => {
    const entry = await inside.entry<V>(key);
    if (store.supports.atomic === "no") {
      throw new KvError(
        "KV_NOT_SUPPORTED",
        `${store.type} offers no compare-and-set: two writers at once would lose one of their ` +
          "changes",
        { client: store.type, key },
      );
    }
    const next = decide(entry);
    if (next instanceof Promise) return { entry, next };
    return (await apply(inside, key, entry, next)) ? { entry } : null;
  };
  const done = await untilDone(async () => {
    const result = await inTurn(store, [key], (inside) => untilDone(() => attempt(inside)));
    if (!("next" in result)) return result;
    return (await apply(store, key, result.entry, await result.next)) ? result : null;
  });
  return done.entry;
}

/**
 * Writes the decision on an entry, if the entry is still the newest. Resolves to whether it did.
 */
async function apply<V>(
  store: Store<V>,
  key: string,
  entry: Entry<V> | null,
  next: Next,
): Promise<boolean> {
  if (next === undefined) return true;
  checkKept(next?.options);
  const write = { key, value: next?.value ?? null, ...next?.options };
  return (await store.commit([{ key, version: entry?.version ?? null }], [write])).ok;
}

function checkKept(options: unknown): void {
  checkOptions(options, ["expires", "metadata"], "a write", "KV_INVALID_EXPIRES");
}

/** The options that a rewrite keeps by default. */
export function kept(entry: Entry<unknown> | null, options: SetOptions | undefined): SetOptions {
  checkKept(options);
  const before: SetOptions =
    entry === null
      ? {}
      : {
          expires: entry.expires === null ? null : new Date(entry.expires),
          metadata: entry.metadata,
        };
  for (const name of ["expires", "metadata"] as const)
    if (options?.[name] !== undefined) before[name] = options[name] as never;
  return before;
}
