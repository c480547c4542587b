import { KvError } from "./errors.ts";
import type { Json } from "./types.ts";

/** How deep a value may nest. Engines overflow their stacks a little deeper, each at another depth. */
const MAX_DEPTH = 1000;

/** Whether an object's class is `Object` or `Array` of any realm, told by how long its prototype chain is. */
export function isPlain(object: object, isArray: boolean): boolean {
  const proto: unknown = Object.getPrototypeOf(object);
  if (proto === Object.prototype || proto === Array.prototype) return true;
  if (proto === null) return !isArray;
  const above: unknown = Object.getPrototypeOf(proto);
  return isArray ? above !== null && Object.getPrototypeOf(above) === null : above === null;
}

/** Why a value is refused, and where: the way there is put together on the way back, so that what is fine pays nothing for it. */
class Fault {
  readonly reason: string;
  readonly keys: (string | number)[] = [];
  readonly containers: object[] = [];

  constructor(reason: string) {
    this.reason = reason;
  }

  within(container: object, key: string | number): this {
    this.keys.unshift(key);
    this.containers.unshift(container);
    return this;
  }
}

const segment = (key: string | number): string =>
  typeof key === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;

function className(object: object): string {
  const { constructor } = Object.getPrototypeOf(object) as { constructor?: unknown };
  return (typeof constructor === "function" && constructor.name) || "class instance";
}

/** What is wrong with a value of a class: "is an Error". */
export function isOfClass(name: string): string {
  return `is a${/^[AEIO]/.test(name) ? "n" : ""} ${name}`;
}

/** What to do about it. */
export function adviceFor(fault: string, rule: string): string {
  return fault === "is a Promise" ? "await it" : rule;
}

/** A checked copy, or what is wrong. */
function normalize(value: unknown, depth: number): Json | Fault {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value + 0 : new Fault(`is ${value}`); // -0 + 0 is 0
    case "undefined":
      return null;
    case "object": {
      if (value === null) return null;
      const isArray = Array.isArray(value);
      if (!isPlain(value, isArray)) return new Fault(isOfClass(className(value)));
      if (depth === MAX_DEPTH) return new Fault("");
      return isArray ? normalizeArray(value, depth + 1) : normalizeObject(value as { [key: string]: unknown }, depth + 1);
    }
    default:
      return new Fault(`is a ${typeof value}`);
  }
}

// What most values are made of is told in place: a call for each would cost more than the copy.
const isSimple = (value: unknown): boolean =>
  typeof value === "string" ||
  typeof value === "boolean" ||
  value === null ||
  // Finite, and not the zero that may have a sign.
  (typeof value === "number" && value !== 0 && value - value === 0);

function normalizeArray(array: readonly unknown[], depth: number): Json[] | Fault {
  // Item by item: what methods an array has may be its own.
  const copy: Json[] = [];
  for (let i = 0; i < array.length; i++) {
    const item = array[i];
    const checked = isSimple(item) ? (item as Json) : normalize(item, depth);
    if (checked instanceof Fault) return checked.within(array, i);
    copy.push(checked);
  }
  return copy;
}

function normalizeObject(object: { [key: string]: unknown }, depth: number): { [key: string]: Json } | Fault {
  if (Object.getOwnPropertySymbols(object).length > 0) return new Fault("has a key that is a symbol");
  // A spread makes own properties of any name, `__proto__` too: the assignments below then never meet a setter.
  const copy = { ...object };
  for (const key in copy) {
    const item = copy[key];
    // What somebody has put on Object.prototype is enumerated too.
    if (isSimple(item) || !Object.hasOwn(copy, key)) continue;
    if (item === undefined) {
      delete copy[key];
      continue;
    }
    const checked = normalize(item, depth);
    if (checked instanceof Fault) return checked.within(object, key);
    copy[key] = checked;
  }
  return copy as { [key: string]: Json };
}

/**
 * A copy of a value of the JSON data model, checked: `-0` becomes `0`, `undefined` becomes `null` at the top and in arrays, and is
 * dropped from objects.
 *
 * @param name what messages call the value.
 * @param rule what they say that can be stored.
 * @throws {KvError} KV_INVALID_VALUE for anything else, naming its path.
 */
export function checkedCopy(value: unknown, name = "value", rule = "only JSON can be stored (a codec widens that)"): Json {
  if (typeof value === "string") return value;
  let copy: Json | Fault;
  try {
    copy = normalize(value, 0);
  } catch (cause) {
    throw new KvError("KV_INVALID_VALUE", `${name} cannot be read: one of its members throws`, { cause });
  }
  if (!(copy instanceof Fault)) return copy;
  const { keys, containers, reason } = copy;
  // What is too deep for a cycle comes round to a container again: the first time tells enough.
  const end = reason ? -1 : containers.findIndex((container, i) => containers.indexOf(container) < i);
  const path = keys.slice(0, reason ? keys.length : end < 0 ? 20 : end).map(segment).join("");
  const fault = reason || (end < 0 ? `nests deeper than ${MAX_DEPTH} levels` : "is a cycle");
  throw new KvError("KV_INVALID_VALUE", `${name}${path} ${fault}: ${adviceFor(fault, rule)}`);
}

/** A copy of a value that is known to be of the JSON data model. */
export function copyOf(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.slice();
    for (let i = 0; i < items.length; i++) if (typeof items[i] === "object") items[i] = copyOf(items[i]!);
    return items;
  }
  const copy = { ...value };
  for (const key in copy) {
    const item = copy[key]!;
    if (typeof item === "object" && item !== null && Object.hasOwn(copy, key)) copy[key] = copyOf(item);
  }
  return copy;
}

/** The same arrays and plain objects made anew, so that later changes to them do not matter. Everything else is shared. */
export function snapshot(value: unknown, seen: Map<object, object> = new Map()): unknown {
  if (typeof value !== "object" || value === null) return value;
  const isArray = Array.isArray(value);
  const known = seen.get(value);
  if (known !== undefined || !isPlain(value, isArray)) return known ?? value;
  const copy = (isArray ? [...value] : { ...value }) as { [key: string]: unknown };
  seen.set(value, copy);
  for (const key of Object.keys(copy)) Object.defineProperty(copy, key, { value: snapshot(copy[key], seen), enumerable: true, writable: true, configurable: true });
  return copy;
}
