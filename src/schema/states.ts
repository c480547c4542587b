import { base64urlToBytes, bytesToBase64url } from "../record/bytes.ts";
import { bitsAt, withBits } from "./bits.ts";
import type { Scored, StructureReads, StructureWrites } from "../clients/adapter.ts";
import { compareKeys } from "../record/utf8.ts";

/** The state in a record, by the kind of its field. An empty collection has no record. */
export interface States {
  number: number;
  /** Bytes as base64url. */
  bitset: string;
  set: readonly string[];
  list: readonly string[];
  hash: readonly (readonly [name: string, value: string])[];
  /** In order. */
  sorted: readonly Scored[];
}

type StateOf<Name extends string> = Name extends `${infer Kind extends keyof States}.${string}`
  ? States[Kind]
  : never;

/**
 * The new state (`null` for none, `undefined` for no change), and the answer.
 */
export type Step<State, Answer> = readonly [next: State | null | undefined, answer: Answer];

type Reads = {
  readonly [Name in keyof StructureReads]: (
    state: StateOf<Name> | null,
    ...args: Parameters<StructureReads[Name]>
  ) => ReturnType<StructureReads[Name]>;
};
type Writes = {
  readonly [Name in keyof StructureWrites]: (
    state: StateOf<Name> | null,
    ...args: Parameters<StructureWrites[Name]>
  ) => Step<StateOf<Name>, ReturnType<StructureWrites[Name]>>;
};

const some = <T>(items: readonly T[]): readonly T[] | null => (items.length === 0 ? null : items);
const part = <T>(items: readonly T[] | null, start: number, end: number | null): T[] =>
  (items ?? []).slice(start, end ?? undefined);
const bytesIn = (state: string | null): Uint8Array => base64urlToBytes(state ?? "");

const turned = (state: readonly Scored[] | null, reverse: boolean): readonly Scored[] =>
  reverse ? (state ?? []).toReversed() : (state ?? []);
/** Scores in their order. */
export const inScoreOrder = (scores: ReadonlyMap<string, number>): readonly Scored[] =>
  [...scores].sort(([a, x], [b, y]) => x - y || compareKeys(a, b));
const scoreIn = (state: readonly Scored[] | null, member: string): number | null =>
  state?.find(([each]) => each === member)?.[1] ?? null;

/** The reads of fields from a state; `null` is the state of an absent one. */
export const READS: Reads = {
  "number.read": (state) => state,
  "bitset.get": (state, bits, index) =>
    state === null ? null : bitsAt(bytesIn(state), bits, index),
  "bitset.sum"(state, bits, start, end) {
    const bytes = bytesIn(state);
    let sum = 0n;
    for (let index = start; index < Math.min(end, Math.ceil((bytes.length * 8) / bits)); index++)
      sum += bitsAt(bytes, bits, index);
    return sum;
  },
  "set.read": (state) => [...(state ?? [])],
  "set.has": (state, member) => state?.includes(member) ?? false,
  "set.size": (state) => state?.length ?? 0,
  "list.range": part,
  "list.size": (state) => state?.length ?? 0,
  "hash.read": (state) => [...(state ?? [])],
  "hash.get": (state, name) => state?.find(([each]) => each === name)?.[1] ?? null,
  "hash.names": (state) => (state ?? []).map(([name]) => name),
  "hash.size": (state) => state?.length ?? 0,
  "sorted.range": (state, start, end, reverse) => part(turned(state, reverse), start, end),
  "sorted.between": (state, min, max, reverse) =>
    turned(state, reverse).filter(([, score]) => score >= min && score <= max),
  "sorted.score": scoreIn,
  "sorted.rank"(state, member, reverse) {
    const rank = turned(state, reverse).findIndex(([each]) => each === member);
    return rank === -1 ? null : rank;
  },
  "sorted.size": (state) => state?.length ?? 0,
};

/** The items without some of them, and how many of these were there. */
function without<T>(
  items: readonly T[] | null,
  gone: readonly string[],
  nameOf: (item: T) => string,
): Step<readonly T[], number> {
  const names = new Set(gone);
  const left = (items ?? []).filter((item) => !names.has(nameOf(item)));
  const count = (items?.length ?? 0) - left.length;
  return [count === 0 ? undefined : some(left), count];
}

const itself = (item: string): string => item;
const first = ([name]: readonly [string, unknown]): string => name;

/** The changes of fields to a state. */
export const WRITES: Writes = {
  "number.write": (_state, value) => [value, undefined],
  "number.increment"(state, by) {
    const sum = (state ?? 0) + by;
    const isExact = Number.isFinite(sum) && (!Number.isInteger(sum) || Number.isSafeInteger(sum));
    return isExact ? [sum, sum] : [undefined, null];
  },
  "bitset.set": (state, bits, index, value) => [
    bytesToBase64url(withBits(bytesIn(state), bits, index, value)),
    undefined,
  ],
  "bitset.increment"(state, bits, index, by) {
    const bytes = bytesIn(state);
    const sum = BigInt.asIntN(bits, bitsAt(bytes, bits, index) + by);
    return [bytesToBase64url(withBits(bytes, bits, index, sum)), sum];
  },
  "set.write": (_state, members) => [some([...new Set(members)]), undefined],
  "set.add"(state, members) {
    const all = new Set(state);
    for (const member of members) all.add(member);
    const added = all.size - (state?.length ?? 0);
    return [added === 0 ? undefined : [...all], added];
  },
  "set.remove": (state, members) => without(state, members, itself),
  "list.write": (_state, items) => [some(items), undefined],
  "list.push"(state, items) {
    const all = [...(state ?? []), ...items];
    return [items.length === 0 ? undefined : all, all.length];
  },
  "list.unshift"(state, items) {
    const all = [...items, ...(state ?? [])];
    return [items.length === 0 ? undefined : all, all.length];
  },
  "list.pop": (state) =>
    state === null ? [undefined, null] : [some(state.slice(0, -1)), state.at(-1)!],
  "list.shift": (state) => (state === null ? [undefined, null] : [some(state.slice(1)), state[0]!]),
  "list.trim"(state, start, end) {
    const left = part(state, start, end);
    return [left.length === (state?.length ?? 0) ? undefined : some(left), undefined];
  },
  "hash.write": (_state, entries) => [some([...new Map(entries)]), undefined],
  "hash.set"(state, entries) {
    const all = new Map([...(state ?? []), ...entries]);
    return [entries.length === 0 ? undefined : [...all], all.size - (state?.length ?? 0)];
  },
  "hash.remove": (state, names) => without(state, names, first),
  "sorted.write": (_state, entries) => [some(inScoreOrder(new Map(entries))), undefined],
  "sorted.add"(state, entries) {
    const all = new Map([...(state ?? []), ...entries]);
    return [entries.length === 0 ? undefined : inScoreOrder(all), all.size - (state?.length ?? 0)];
  },
  "sorted.remove": (state, members) => without(state, members, first),
  "sorted.increment"(state, member, by) {
    const sum = (scoreIn(state, member) ?? 0) + by;
    return Number.isFinite(sum)
      ? [inScoreOrder(new Map([...(state ?? []), [member, sum]])), sum]
      : [undefined, null];
  },
};

const isArray = (state: unknown): boolean => Array.isArray(state);
const isString = (state: unknown): boolean => typeof state === "string";

/** Whether the value in a record is a state of this kind. */
export const IS_STATE: { readonly [Kind in keyof States]: (state: unknown) => boolean } = {
  number: (state) => typeof state === "number",
  bitset: isString,
  set: isArray,
  list: isArray,
  hash: isArray,
  sorted: isArray,
};
