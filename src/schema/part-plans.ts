import { base64urlToBytes, bytesToBase64url } from "../record/bytes.ts";
import type { StructureReads, StructureWrites } from "../clients/adapter.ts";
import { READS, WRITES } from "./states.ts";
import type { PartsHead, Part, Parts } from "./parts-head.ts";
import { hashOf, partOf, sourceOf } from "./linear-hash.ts";
import {
  bitsOf,
  bytesPerPart,
  countFor,
  distribute,
  itemParts,
  NAME_OF,
  numbersPerPart,
  PER_PART,
} from "./part-layout.ts";

/** The name of an operation on a collection. */
export type Name = keyof StructureReads | keyof StructureWrites;

/** The result of an operation. A read has no `head`, and neither has a write without a change. */
export interface Outcome {
  readonly answer: unknown;
  readonly head?: PartsHead;
  /** The parts that change; `null` for one that is removed. */
  readonly parts?: ReadonlyMap<number, Part | null>;
}

/** How an operation is done on a few parts of a collection. */
export interface Plan {
  /** The parts that it reads. */
  readonly indexes: readonly number[];
  /** The result, from those parts. */
  run(parts: Parts): Outcome;
}

type Call = (state: unknown, ...args: readonly unknown[]) => unknown;
type Change = (state: unknown, ...args: readonly unknown[]) => readonly [Part | null, unknown];

const read = (name: Name): Call => READS[name as keyof StructureReads] as Call;
const change = (name: Name): Change => WRITES[name as keyof StructureWrites] as Change;

/** The names that an operation on members is about. */
function namesIn(kind: string, [first]: readonly unknown[]): string[] {
  return Array.isArray(first)
    ? first.map((each) => (typeof each === "string" ? each : NAME_OF[kind]!(each)))
    : [first as string];
}

// The operations on members that are told apart by their names.
const READS_BY_NAME: ReadonlySet<Name> = new Set(["set.has", "hash.get", "sorted.score"]);
const ADDS: ReadonlySet<Name> = new Set(["set.add", "hash.set", "sorted.add", "sorted.increment"]);
const REMOVES: ReadonlySet<Name> = new Set(["set.remove", "hash.remove", "sorted.remove"]);

const itemsOf = (parts: Parts, indexes: readonly number[]): unknown[] =>
  indexes.flatMap((index) => parts.get(index) ?? []);

function planByName(kind: string, name: Name, head: PartsHead, args: readonly unknown[]): Plan {
  const names = namesIn(kind, args);
  const found = new Set(names.map((each) => partOf(hashOf(each, head.generation), head.count)));
  if (READS_BY_NAME.has(name)) {
    const indexes = [...found];
    return { indexes, run: (parts) => ({ answer: read(name)(itemsOf(parts, indexes), ...args) }) };
  }
  const most = ADDS.has(name) ? head.size + names.length : head.size;
  const count = Math.max(head.count, countFor(most));
  const added = Array.from({ length: count - head.count }, (_, i) => head.count + i);
  for (const index of added) found.add(sourceOf(index, head.count));
  const indexes = [...found];
  return {
    indexes,
    run(parts) {
      const items = itemsOf(parts, indexes);
      const [next, answer] = change(name)(items, ...args);
      if (next === undefined) return { answer };
      const members = (next ?? []) as unknown[];
      const changed = { ...head, count, size: head.size + members.length - items.length };
      const into = [...indexes, ...added];
      return {
        answer,
        head: changed,
        parts: distribute(members, NAME_OF[kind]!, changed, into),
      };
    },
  };
}

/** The bounds of a range as `Array.prototype.slice` reads them. */
function bounds(size: number, start: number, end: number | null): [start: number, end: number] {
  const at = (index: number): number =>
    Math.max(0, Math.min(size, index < 0 ? size + index : index));
  return [at(start), end === null ? size : at(end)];
}

const indexOfPosition = (position: number): number => Math.floor(position / PER_PART);

/** The position of the first item that a part of a list holds. */
const beginOf = (head: PartsHead, index: number): number => Math.max(head.first, index * PER_PART);

function planRange(head: PartsHead, args: readonly unknown[]): Plan {
  const [start, end] = bounds(head.size, ...(args as [number, number | null]));
  const indexes: number[] = [];
  if (start < end)
    for (
      let index = indexOfPosition(head.first + start);
      index <= indexOfPosition(head.first + end - 1);
      index++
    )
      indexes.push(index);
  return {
    indexes,
    run(parts) {
      if (indexes.length === 0) return { answer: [] };
      const skipped = head.first + start - beginOf(head, indexes[0]!);
      return { answer: itemsOf(parts, indexes).slice(skipped, skipped + end - start) };
    },
  };
}

/** Items are added to one end of a list. The part at that end is read unless it is full. */
function planPush(head: PartsHead, items: readonly unknown[], isFront: boolean): Plan {
  const end = head.first + head.size;
  const isFull = (isFront ? head.first : end) % PER_PART === 0;
  const index = indexOfPosition(isFront ? head.first : end - 1);
  const size = head.size + items.length;
  return {
    indexes: isFull ? [] : [index],
    run(parts) {
      if (items.length === 0) return { answer: head.size };
      const there = (parts.get(index) ?? []) as readonly unknown[];
      const first = isFront ? head.first - items.length : head.first;
      return {
        answer: size,
        head: { ...head, size, first },
        parts: isFront
          ? itemParts([...items, ...there], first)
          : itemParts([...there, ...items], end - there.length),
      };
    },
  };
}

function planPop(head: PartsHead, isFront: boolean): Plan {
  const index = indexOfPosition(isFront ? head.first : head.first + head.size - 1);
  return {
    indexes: [index],
    run(parts) {
      const items = parts.get(index) as readonly unknown[];
      const left = isFront ? items.slice(1) : items.slice(0, -1);
      return {
        answer: isFront ? items[0] : items.at(-1),
        head: { ...head, size: head.size - 1, first: head.first + (isFront ? 1 : 0) },
        parts: new Map([[index, left.length === 0 ? null : left]]),
      };
    },
  };
}

function planList(name: Name, head: PartsHead, args: readonly unknown[]): Plan | undefined {
  switch (name) {
    case "list.range":
      return planRange(head, args);
    case "list.push":
    case "list.unshift":
      return planPush(head, args[0] as unknown[], name === "list.unshift");
    case "list.pop":
    case "list.shift":
      return planPop(head, name === "list.shift");
    default:
      return undefined;
  }
}

function planSum(head: PartsHead, bits: number, start: number, end: number): Plan {
  const [perPart, numbers] = [bytesPerPart(bits), numbersPerPart(bits)];
  const last = Math.min(end, Math.ceil((head.size * 8) / bits));
  const from = Math.floor(start / numbers);
  const count = Math.max(0, Math.ceil(last / numbers) - from);
  const indexes = Array.from({ length: count }, (_, i) => from + i);
  return {
    indexes,
    run(parts) {
      const bytes = new Uint8Array(count * perPart);
      for (const [index, part] of parts)
        bytes.set(base64urlToBytes(part as string), (index - from) * perPart);
      const before = from * numbers;
      const state = bytesToBase64url(bytes);
      return { answer: read("bitset.sum")(state, bits, start - before, last - before) };
    },
  };
}

function planBitset(kind: string, name: Name, head: PartsHead, args: readonly unknown[]): Plan {
  const bits = bitsOf(kind);
  const [, first, value] = args as [bits: number, first: number, value: bigint | number];
  if (name === "bitset.sum") return planSum(head, bits, first, value as number);
  const index = Math.floor(first / numbersPerPart(bits));
  const place = first % numbersPerPart(bits);
  const stateIn = (parts: Parts): Part => parts.get(index) ?? "";
  if (name === "bitset.get")
    return {
      indexes: [index],
      run: (parts) => ({ answer: read(name)(stateIn(parts), bits, place) }),
    };
  return {
    indexes: [index],
    run(parts) {
      const [next, answer] = change(name)(stateIn(parts), bits, place, value);
      const end = index * bytesPerPart(bits) + base64urlToBytes(next as string).length;
      const size = Math.max(head.size, end);
      return { answer, head: { ...head, size }, parts: new Map([[index, next]]) };
    },
  };
}

/**
 * How an operation is done on a few parts; `undefined` for one that takes the whole collection.
 *
 * @param kind that of the field, such as `"set"` or `"bitset8"`.
 */
export function planFor(
  kind: string,
  name: Name,
  head: PartsHead,
  args: readonly unknown[],
): Plan | undefined {
  if (name.endsWith(".size")) return { indexes: [], run: () => ({ answer: head.size }) };
  if (READS_BY_NAME.has(name) || ADDS.has(name) || REMOVES.has(name))
    return planByName(kind, name, head, args);
  if (name.startsWith("list.")) return planList(name, head, args);
  return name.startsWith("bitset.") ? planBitset(kind, name, head, args) : undefined;
}
