import type { Scored } from "../clients/adapter.ts";
import { base64urlToBytes, bytesToBase64url } from "../record/bytes.ts";
import { inScoreOrder } from "./states.ts";
import { type PartsHead, newGeneration, type Part, type Parts } from "./parts-head.ts";
import { hashOf, partOf } from "./linear-hash.ts";

/** How the collections of a kind are divided into parts. States are as in `States`. */
export interface PartLayout {
  /** The number of members or items; of a bitset, the number of bytes. */
  sizeOf(state: Part): number;
  /** The largest size that is kept in one record. */
  readonly most: number;
  /** A smaller collection is written anew, with fewer parts or as one record. */
  least(head: PartsHead): number;
  /** Divides a state. The deadline of the head is not set. */
  split(state: Part): { head: PartsHead; parts: Parts };
  /** The indexes of all parts. */
  indexes(head: PartsHead): number[];
  /** Whether every part is stored. A bitset has no parts for zeros. */
  readonly isComplete: boolean;
  /** The state in parts: the whole of it, or of a few parts. */
  join(head: PartsHead, parts: Parts): Part;
}

/** How many members or items a part holds, on average for members. */
export const PER_PART = 64;

const NEW_HEAD = { size: 0, count: 0, first: 0, until: null };

/** How many parts a collection of so many members needs. */
export const countFor = (size: number): number => Math.max(1, Math.ceil(size / PER_PART));

/** Divides members among some parts of a head by their names. */
export function distribute(
  members: readonly unknown[],
  nameOf: (member: unknown) => string,
  { generation, count }: PartsHead,
  indexes: Iterable<number>,
): Map<number, unknown[]> {
  const parts = new Map(Array.from(indexes, (index): [number, unknown[]] => [index, []]));
  for (const member of members)
    parts.get(partOf(hashOf(nameOf(member), generation), count))!.push(member);
  return parts;
}

const range = (start: number, end: number): number[] =>
  Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);

function byName(
  nameOf: (member: unknown) => string,
  sort: (members: readonly unknown[]) => readonly unknown[],
): PartLayout {
  const indexes = (head: PartsHead): number[] => range(0, head.count);
  return {
    most: 2 * PER_PART,
    least: ({ count }) => (count * PER_PART) / 8,
    sizeOf: (state) => state.length,
    isComplete: true,
    indexes,
    split(state) {
      const size = state.length;
      const head = { ...NEW_HEAD, generation: newGeneration(), size, count: countFor(size) };
      return { head, parts: distribute(state as unknown[], nameOf, head, indexes(head)) };
    },
    join: (_head, parts) => sort([...parts.values()].flat()),
  };
}

const LIST: PartLayout = {
  most: 2 * PER_PART,
  least: () => PER_PART / 4,
  sizeOf: (state) => state.length,
  isComplete: true,
  indexes: ({ first, size }) =>
    range(Math.floor(first / PER_PART), Math.floor((first + size - 1) / PER_PART) + 1),
  split(state) {
    const head = { ...NEW_HEAD, generation: newGeneration(), size: state.length };
    return { head, parts: itemParts(state as unknown[], 0) };
  },
  join: (_head, parts) => [...parts].sort(([a], [b]) => a - b).flatMap(([, items]) => items),
};

/** Items as the parts that they lie in, the first one at a position. */
export function itemParts(items: readonly unknown[], first: number): Map<number, unknown[]> {
  const parts = new Map<number, unknown[]>();
  items.forEach((item, i) => {
    const index = Math.floor((first + i) / PER_PART);
    const part = parts.get(index);
    if (part === undefined) parts.set(index, [item]);
    else part.push(item);
  });
  return parts;
}

/** How many numbers of this width a part of a bitset holds: whole bytes, at most 4 kB. */
export const numbersPerPart = (bits: number): number => 8 * Math.floor(4096 / bits);

/** How many bytes they take. */
export const bytesPerPart = (bits: number): number => (numbersPerPart(bits) * bits) / 8;

function bitsetLayout(bits: number): PartLayout {
  const perPart = bytesPerPart(bits);
  const indexes = ({ size }: PartsHead): number[] => range(0, Math.ceil(size / perPart));
  return {
    most: perPart,
    least: () => 0,
    sizeOf: (state) => Math.floor((state.length * 3) / 4),
    isComplete: false,
    indexes,
    split(state) {
      const bytes = base64urlToBytes(state as string);
      const head = { ...NEW_HEAD, generation: newGeneration(), size: bytes.length };
      const parts = new Map<number, Part>();
      for (const index of indexes(head)) {
        const part = bytes.subarray(index * perPart, (index + 1) * perPart);
        if (part.some((byte) => byte !== 0)) parts.set(index, bytesToBase64url(part));
      }
      return { head, parts };
    },
    join({ size }, parts) {
      const bytes = new Uint8Array(size);
      for (const [index, part] of parts) {
        bytes.set(base64urlToBytes(part as string), index * perPart);
      }
      return bytesToBase64url(bytes);
    },
  };
}

const unsorted = (members: readonly unknown[]): readonly unknown[] => members;
const nameOfPair = (pair: unknown): string => (pair as readonly [string, unknown])[0];

/** The name of a member, by the kind of its collection. */
export const NAME_OF: { readonly [kind: string]: (member: unknown) => string } = {
  set: String,
  hash: nameOfPair,
  sorted: nameOfPair,
};

const LAYOUTS: { readonly [kind: string]: PartLayout } = {
  set: byName(NAME_OF.set!, unsorted),
  hash: byName(NAME_OF.hash!, unsorted),
  sorted: byName(NAME_OF.sorted!, (members) => inScoreOrder(new Map(members as Scored[]))),
  list: LIST,
};

/** The layout for the collections of a kind; `undefined` for a kind that is always one record. */
export const partLayoutOf = (kind: string): PartLayout | undefined =>
  kind.startsWith("bitset") ? bitsetLayout(bitsOf(kind)) : LAYOUTS[kind];

/** The width of the numbers of a kind such as `"bitset12"`. */
export const bitsOf = (kind: string): number => Number(kind.slice("bitset".length));
