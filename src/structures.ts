/**
 * What the fields of typed stores ask for, by kind and name: collections of texts, and numbers. A
 * client answers itself where it has such types (`Adapter.structure`); on all others the answers
 * come from the one record that the field is. An empty collection is an absent one.
 */
export interface StructureReads {
  "number.read"(): number | null;
  /** `index` counts fields of so many bits; `null` when there is nothing at all. */
  "bitset.get"(bits: number, index: number): bigint | null;
  /** The sum from `start` to before `end`. */
  "bitset.sum"(bits: number, start: number, end: number): bigint;
  "set.read"(): string[];
  "set.has"(member: string): boolean;
  "set.size"(): number;
  /** The items from `start` to before `end`, negative ones from the back, `null` to the last. */
  "list.range"(start: number, end: number | null): string[];
  "list.size"(): number;
  "hash.read"(): (readonly [name: string, value: string])[];
  "hash.get"(name: string): string | null;
  "hash.names"(): string[];
  "hash.size"(): number;
  /** By rank, as `list.range`. */
  "sorted.range"(start: number, end: number | null, reverse: boolean): Scored[];
  /** By score, both ends included. */
  "sorted.between"(min: number, max: number, reverse: boolean): Scored[];
  "sorted.score"(member: string): number | null;
  "sorted.rank"(member: string, reverse: boolean): number | null;
  "sorted.size"(): number;
}

/**
 * A member of a sorted set and its score. They are ordered by score, then by the UTF-8 bytes of the
 * member.
 */
export type Scored = readonly [member: string, score: number];

/** The same for what changes something. `write` replaces everything. */
export interface StructureWrites {
  "number.write"(value: number): void;
  /** `null`, and nothing is changed, when the sum is beyond what a number holds exactly. */
  "number.increment"(by: number): number | null;
  "bitset.set"(bits: number, index: number, value: bigint): void;
  "bitset.increment"(bits: number, index: number, by: bigint): bigint;
  "set.write"(members: readonly string[]): void;
  /** How many were not there before; `remove`: how many were. */
  "set.add"(members: readonly string[]): number;
  "set.remove"(members: readonly string[]): number;
  "list.write"(items: readonly string[]): void;
  /** The new length. `unshift` puts them before the others, in their order. */
  "list.push"(items: readonly string[]): number;
  "list.unshift"(items: readonly string[]): number;
  "list.pop"(): string | null;
  "list.shift"(): string | null;
  /** Keeps what `list.range` answers. */
  "list.trim"(start: number, end: number | null): void;
  "hash.write"(entries: readonly (readonly [name: string, value: string])[]): void;
  "hash.set"(entries: readonly (readonly [name: string, value: string])[]): number;
  "hash.remove"(names: readonly string[]): number;
  "sorted.write"(entries: readonly Scored[]): void;
  "sorted.add"(entries: readonly Scored[]): number;
  "sorted.remove"(members: readonly string[]): number;
  /** `null`, and nothing is changed, when the score would not be finite. */
  "sorted.increment"(member: string, by: number): number | null;
}

/**
 * What concerns the field as a whole, or others too. Only asked of clients that answer themselves.
 */
export interface StructureExtras {
  /** The members of this set that are in all of the others: their full keys. */
  "set.intersect"(others: readonly string[]): string[];
  /** Moves the deadline to where the call says. */
  "any.touch"(): boolean;
}

/** Everything that can be asked for. */
export type StructureCalls = StructureReads & StructureWrites & StructureExtras;
export type StructureName = keyof StructureCalls;
