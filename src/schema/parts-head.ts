/**
 * The record of a collection that is too large for one record. Its state is in parts, which are
 * records of their own. Every change of a part replaces the head in the same commit, so that the
 * version of the head is the version of the whole collection.
 */
export interface PartsHead {
  /** Names the parts that belong to this head. Each rewrite of all parts has another. */
  readonly generation: string;
  /** The number of members or items; of a bitset, the number of bytes. */
  readonly size: number;
  /** The number of parts of a set, hash or sorted set; 0 for others. */
  readonly count: number;
  /** The position of the first item of a list; 0 for others. */
  readonly first: number;
  /** When the parts expire: never before the head. `null` for never. */
  readonly until: number | null;
}

/** The state in one part: members or items, or the bytes of a bitset as base64url. */
export type Part = readonly unknown[] | string;

/** Parts by their index. A part that is not stored is absent. */
export type Parts = ReadonlyMap<number, Part>;

/** Whether the state in a record is a head. A state in one record is an array or a string. */
export function isHead(state: unknown): state is PartsHead {
  if (typeof state !== "object" || state === null || Array.isArray(state)) return false;
  const { generation, size, count, first, until } = state as Partial<PartsHead>;
  return (
    typeof generation === "string" &&
    [size, count, first].every(Number.isSafeInteger) &&
    (until === null || Number.isSafeInteger(until))
  );
}

/**
 * Separates the key of a collection from the name of a part. No name in a path contains it: a
 * percent sign in a name is written as `%25`.
 */
const SIGN = "%.";

/** The key of a part. */
export const partKey = (key: string, { generation }: PartsHead, index: number): string =>
  `${key}${SIGN}${generation}.${index}`;

/** Whether the last part of a path, which may be longer than that, names a part. */
export const isPartName = (name: string): boolean => name.includes(SIGN);

/** A name for the parts of a new head. */
export function newGeneration(): string {
  const numbers = crypto.getRandomValues(new Uint32Array(2));
  return Array.from(numbers, (number) => number.toString(36).padStart(7, "0")).join("");
}

/** How long the parts outlive the head at least, in milliseconds. */
const GRACE = 3_600_000;

/**
 * When the parts of a head expire: well after it, so that a deadline that is moved again and again
 * does not rewrite them each time.
 */
export const partsDeadline = (deadline: number | null): number | null =>
  deadline === null ? null : deadline + Math.max(GRACE, deadline - Date.now());

/** Whether the parts outlive a head with this deadline, and are deleted some day if it is. */
export const outlives = ({ until }: PartsHead, deadline: number | null): boolean =>
  until === null ? deadline === null : deadline !== null && deadline <= until;
