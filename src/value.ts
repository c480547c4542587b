import { KvError } from "./errors.ts";
import type { Json } from "./types.ts";

/** How deep a value may nest. Engines overflow their stacks a little deeper, each at another depth. */
const MAX_DEPTH = 1000;

const INVALID = Symbol("invalid");

/** Whether an object's class is `Object` or `Array` of any realm, told by how long its prototype chain is. */
function isPlain(object: object, isArray: boolean): boolean {
  const proto: unknown = Object.getPrototypeOf(object);
  if (proto === Object.prototype || proto === Array.prototype) return true;
  if (proto === null) return !isArray;
  const above: unknown = Object.getPrototypeOf(proto);
  return isArray ? above !== null && Object.getPrototypeOf(above) === null : above === null;
}

/** A checked copy, or INVALID. */
function normalize(value: unknown, depth: number): Json | typeof INVALID {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : INVALID; // -0 + 0 is 0
    case "undefined":
      return null;
    case "object": {
      if (value === null) return null;
      const isArray = Array.isArray(value);
      if (depth === MAX_DEPTH || !isPlain(value, isArray)) return INVALID;
      if (isArray) return normalizeArray(value, depth + 1);
      return normalizeObject(value as { [key: string]: unknown }, depth + 1);
    }
    default:
      return INVALID;
  }
}

function normalizeArray(array: readonly unknown[], depth: number): Json[] | typeof INVALID {
  const copy: Json[] = [];
  for (let i = 0; i < array.length; i++) {
    const item = normalize(array[i], depth);
    if (item === INVALID) return INVALID;
    copy.push(item);
  }
  return copy;
}

function normalizeObject(object: { [key: string]: unknown }, depth: number): { [key: string]: Json } | typeof INVALID {
  if (Object.getOwnPropertySymbols(object).length > 0) return INVALID;
  // A spread makes own properties of any name, `__proto__` too: the assignments below then never meet a setter.
  const copy = { ...object };
  for (const key in copy) {
    const item = copy[key];
    if (typeof item === "string") continue;
    if (item === undefined) {
      delete copy[key];
      continue;
    }
    const checked = normalize(item, depth);
    if (checked === INVALID) return INVALID;
    if (checked !== item || checked === 0) copy[key] = checked;
  }
  return copy as { [key: string]: Json };
}

/**
 * A copy of a value of the JSON data model, checked: `-0` becomes `0`, `undefined` becomes `null` at the top and in arrays, and is
 * dropped from objects.
 *
 * @param name what messages call the value.
 * @throws {KvError} KV_INVALID_VALUE for anything else, naming its path.
 */
export function checkedCopy(value: unknown, name = "value"): Json {
  const copy = normalize(value, 0);
  if (copy !== INVALID) return copy;
  const { path, reason } = fault(value, name, []) ?? { path: name, reason: "changes while it is read" };
  throw new KvError("KV_INVALID_VALUE", `${path} ${reason}: only JSON values can be stored (a codec widens that)`);
}

/** Where a refused value is wrong, and how. Only runs when something is: `normalize` keeps no paths. */
function fault(value: unknown, path: string, ancestors: readonly object[]): { path: string; reason: string } | null {
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return { path, reason: `is a ${typeof value}` };
  if (typeof value === "number" && !Number.isFinite(value)) return { path, reason: `is ${value}` };
  if (typeof value !== "object" || value === null) return null;
  if (ancestors.includes(value)) return { path, reason: "is a cycle" };
  if (ancestors.length === MAX_DEPTH) return { path: path.slice(0, 100), reason: `nests deeper than ${MAX_DEPTH} levels` };
  if (!isPlain(value, Array.isArray(value))) return { path, reason: `is a ${className(value)}` };
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol !== undefined && !Array.isArray(value)) return { path, reason: `has a key that is a symbol (${String(symbol)})` };
  const inside = [...ancestors, value];
  for (const [key, item] of Object.entries(value)) {
    const at = Array.isArray(value) ? `[${key}]` : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    const found = fault(item, path + at, inside);
    if (found !== null) return found;
  }
  return null;
}

function className(value: object): string {
  const { constructor } = Object.getPrototypeOf(value) as { constructor?: unknown };
  return (typeof constructor === "function" && constructor.name) || Object.prototype.toString.call(value).slice(8, -1);
}

/** A copy of a value that is known to be of the JSON data model. */
export function copyOf(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  const copy = { ...value };
  for (const key in copy) {
    const item = copy[key]!;
    if (typeof item === "object" && item !== null) copy[key] = copyOf(item);
  }
  return copy;
}
