import type { Json } from "../types.ts";

/**
 * How deep a value may nest. Engines overflow their stacks a little deeper, each at another depth.
 */
export const MAX_DEPTH: number = 1000;

/**
 * Whether an object's class is `Object` or `Array` of any realm, told by how long its prototype
 * chain is.
 */
export function isPlain(object: object, isArray: boolean): boolean {
  const proto: unknown = Object.getPrototypeOf(object);
  if (proto === Object.prototype || proto === Array.prototype) return true;
  if (proto === null) return !isArray;
  const above: unknown = Object.getPrototypeOf(proto);
  return isArray ? above !== null && Object.getPrototypeOf(above) === null : above === null;
}

/** The checked copy, or `undefined` for a value that cannot be stored. */
function normalize(value: unknown, depth: number): Json | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : undefined; // -0 + 0 is 0
    case "undefined":
      return null;
    case "object": {
      if (value === null) return null;
      const isArray = Array.isArray(value);
      if (!isPlain(value, isArray) || depth === MAX_DEPTH) return undefined;
      return isArray
        ? normalizeArray(value, depth + 1)
        : normalizeObject(value as { [key: string]: unknown }, depth + 1);
    }
    default:
      return undefined;
  }
}

// The most common values are checked in place: a call for each would cost more than the copy.
const isSimple = (value: unknown): boolean =>
  typeof value === "string" ||
  typeof value === "boolean" ||
  value === null ||
  // Finite, and not the zero that may have a sign.
  (typeof value === "number" && value !== 0 && value - value === 0);

function normalizeArray(array: readonly unknown[], depth: number): Json[] | undefined {
  // Item by item: an array may have methods of its own.
  const copy: Json[] = [];
  for (let i = 0; i < array.length; i++) {
    const item = array[i];
    const checked = isSimple(item) ? (item as Json) : normalize(item, depth);
    if (checked === undefined) return undefined;
    copy.push(checked);
  }
  return copy;
}

function normalizeObject(
  object: { [key: string]: unknown },
  depth: number,
): { [key: string]: Json } | undefined {
  if (Object.getOwnPropertySymbols(object).length > 0) return undefined;
  // A spread makes own properties of any name, `__proto__` too: the assignments below then never
  // meet a setter.
  const copy = { ...object };
  for (const key in copy) {
    const item = copy[key];
    // Members of Object.prototype that a program has added are enumerated too.
    if (isSimple(item) || !Object.hasOwn(copy, key)) continue;
    if (item === undefined) {
      delete copy[key];
      continue;
    }
    const checked = normalize(item, depth);
    if (checked === undefined) return undefined;
    copy[key] = checked;
  }
  return copy as { [key: string]: Json };
}

/**
 * A copy of a value of the JSON data model: `-0` becomes `0`, `undefined` becomes `null` at the top
 * and in arrays, and is dropped from objects. `undefined` for anything else: `checkedCopy()` says
 * why.
 */
export function jsonCopy(value: unknown): Json | undefined {
  if (typeof value === "string") return value;
  try {
    return normalize(value, 0);
  } catch {
    return undefined;
  }
}

/** A copy of a value that is known to be of the JSON data model. */
export function copyOf(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.slice();
    for (let i = 0; i < items.length; i++)
      if (typeof items[i] === "object") items[i] = copyOf(items[i]!);
    return items;
  }
  const copy = { ...value };
  for (const key in copy) {
    const item = copy[key]!;
    if (typeof item === "object" && item !== null && Object.hasOwn(copy, key))
      copy[key] = copyOf(item);
  }
  return copy;
}

/**
 * The same arrays and plain objects made anew, so that later changes to them do not matter.
 * Everything else is shared.
 */
export function snapshot(value: unknown, seen: Map<object, object> = new Map()): unknown {
  if (typeof value !== "object" || value === null) return value;
  const isArray = Array.isArray(value);
  const known = seen.get(value);
  if (known !== undefined || !isPlain(value, isArray)) return known ?? value;
  let copy: { [key: string]: unknown };
  try {
    copy = (isArray ? [...value] : { ...value }) as { [key: string]: unknown };
  } catch {
    // A member that throws is found again when the value is checked.
    return value;
  }
  seen.set(value, copy);
  for (const key of Object.keys(copy))
    Object.defineProperty(copy, key, {
      value: snapshot(copy[key], seen),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  return copy;
}
