import type { Operations } from "../store/context.ts";
import type { Span } from "../store/tracer.ts";

/** A method that is traced. */
export type TracedName = Exclude<keyof Operations, "iterate"> | "close";

/** What a traced method says of its arguments and its result. */
interface Traced {
  /** The keys among the arguments. */
  readonly keys?: (...args: readonly unknown[]) => readonly unknown[];
  readonly outcome?: (result: never) => Span;
}

// An iterator that can be read once is left to the call itself.
const itemsOf = (list: unknown): readonly unknown[] => (Array.isArray(list) ? list : []);

const first = (key: unknown): readonly unknown[] => [key];
const many = (list: unknown): readonly unknown[] => itemsOf(list);
const hit = (isHit: boolean): Span => ({ outcome: isHit ? "hit" : "miss" });
const counted = (list: readonly unknown[]): Span => ({ outcome: "ok", count: list.length });

/** The methods of a store that are traced, but for iteration. */
export const TRACED: { readonly [N in TracedName]: Traced } = {
  get: { keys: first, outcome: (value: unknown) => hit(value !== null) },
  entry: { keys: first, outcome: (entry: unknown) => hit(entry !== null) },
  has: { keys: first, outcome: (isThere: boolean) => hit(isThere) },
  touch: { keys: first, outcome: (isThere: boolean) => hit(isThere) },
  set: { keys: first },
  del: { keys: first },
  add: {},
  getMany: {
    keys: many,
    outcome: (values: readonly unknown[]) => {
      const hits = values.filter((value) => value !== null).length;
      return { ...hit(hits === values.length), count: values.length, hits };
    },
  },
  setMany: {
    keys: (list) => itemsOf(list).map((pair) => itemsOf(pair)[0]),
    outcome: counted,
  },
  delMany: { keys: many, outcome: counted },
  keys: { outcome: counted },
  values: { outcome: counted },
  entries: { outcome: counted },
  all: { outcome: (found: object) => counted(Object.keys(found)) },
  list: { outcome: ({ entries }: { entries: readonly unknown[] }) => counted(entries) },
  commit: {
    keys: (checks, writes) =>
      [...itemsOf(checks), ...itemsOf(writes)].map(
        (item) => (item as { key?: unknown } | null)?.key,
      ),
    outcome: ({ ok }: { ok: boolean }) => ({ outcome: ok ? "ok" : "conflict" }),
  },
  clear: {},
  prune: { outcome: (count: number) => ({ outcome: "ok", count }) },
  close: {},
};

/** The names of the methods above. */
export const TRACED_NAMES: readonly TracedName[] = Object.keys(TRACED) as never;
