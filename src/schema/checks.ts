import type { Cell } from "./cell.ts";
import { isPlain } from "../record/json.ts";
import { KvValidationError } from "./validation-error.ts";

type Path = readonly PropertyKey[];

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "number")
    return !Number.isFinite(value)
      ? String(value)
      : !Number.isInteger(value)
        ? "a fraction"
        : Number.isSafeInteger(value)
          ? `a ${value < 0 ? "negative " : ""}number`
          : "a number that is not exact";
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : "an object";
}

/** Refuses a value. @throws {KvError} KV_VALIDATION. */
export function fail(cell: Cell, expected: string, value: unknown, path: Path = []): never {
  throw new KvValidationError(
    cell.full,
    [{ message: `expected ${expected}, not ${described(value)}`, path }],
    { client: cell.client },
  );
}

export function checkText(cell: Cell, value: unknown): string {
  return typeof value === "string" ? value : fail(cell, "a string", value);
}

/**
 * A text in a collection: those are kept as UTF-8, where a lone surrogate would become something
 * else.
 */
export function memberOf(cell: Cell, value: unknown, path: Path = []): string {
  if (typeof value !== "string") return fail(cell, "a string", value, path);
  return value.isWellFormed() ? value : fail(cell, "a well-formed string", value, path);
}

/** Whether something is an object with members of its own alone: no array, and of no class. */
export function isJsonObject(value: unknown): value is { [key: string]: unknown } {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value, false)
  );
}

/** The items of something iterable that is no text, as they are now. */
function itemsOf(cell: Cell, value: unknown, expected: string): unknown[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    return fail(cell, expected, value);
  return [...(value as Iterable<unknown>)];
}

export function membersOf(cell: Cell, value: unknown): string[] {
  return itemsOf(cell, value, "strings").map((member, i) => memberOf(cell, member, [i]));
}

/** One text, or several. */
export function oneOrMore(cell: Cell, value: unknown): string[] {
  return typeof value === "string" ? [memberOf(cell, value)] : membersOf(cell, value);
}

export function finite(cell: Cell, value: unknown, path: Path = []): number {
  // -0 + 0 is 0
  return typeof value === "number" && Number.isFinite(value)
    ? value + 0
    : fail(cell, "a finite number", value, path);
}

/** Pairs of a name and something: of an object, a Map, or pairs. */
export function pairsOf<T>(
  cell: Cell,
  value: unknown,
  check: (cell: Cell, value: unknown, path: Path) => T,
): (readonly [string, T])[] {
  const isIterable = typeof value === "object" && value !== null && Symbol.iterator in value;
  // A Date, say, has no entries: writing none would remove the field.
  const pairs = isIterable
    ? itemsOf(cell, value, "pairs")
    : isJsonObject(value)
      ? Object.entries(value)
      : fail(cell, "an object, a Map or pairs", value);
  return pairs.map((pair, i) => {
    if (!Array.isArray(pair)) return fail(cell, "a pair", pair, [i]);
    const name = memberOf(cell, pair[0], [i]);
    return [name, check(cell, pair[1], [name])] as const;
  });
}

/** A place in a sequence, as `slice` takes it. */
export function indexOf(cell: Cell, value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) + 0 : fail(cell, "a whole number", value);
}

/** The end of a range: `null` for the last. */
export function rangeEnd(cell: Cell, value: unknown): number | null {
  return value === undefined || value === Infinity ? null : indexOf(cell, value);
}
