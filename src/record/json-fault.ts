import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import { isPlain, jsonCopy, MAX_DEPTH } from "./json.ts";

/** Why a value cannot be stored, and the way to the place. */
interface Fault {
  readonly reason: string;
  readonly path: readonly (string | number)[];
}

const segment = (key: string | number): string =>
  typeof key === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)
    ? `.${key}`
    : `[${JSON.stringify(key)}]`;

function className(object: object): string {
  const { constructor } = Object.getPrototypeOf(object) as { constructor?: unknown };
  return (typeof constructor === "function" && constructor.name) || "class instance";
}

/** The fault of a value of a class: "is an Error". */
export const isOfClass = (name: string): string => `is a${/^[AEIO]/.test(name) ? "n" : ""} ${name}`;

/** Advice. */
export const adviceFor = (fault: string, rule: string): string =>
  fault === "is a Promise" ? "await it" : rule;

/** The fault of a value, apart from its members. */
function ownFault(value: unknown, ancestors: readonly object[]): string | null {
  if (typeof value === "number") return Number.isFinite(value) ? null : `is ${value}`;
  if (typeof value !== "object")
    return ["string", "boolean", "undefined"].includes(typeof value)
      ? null
      : `is a ${typeof value}`;
  if (value === null) return null;
  const isArray = Array.isArray(value);
  if (!isPlain(value, isArray)) return isOfClass(className(value));
  if (ancestors.includes(value)) return "is a cycle";
  if (ancestors.length === MAX_DEPTH) return `nests deeper than ${MAX_DEPTH} levels`;
  return !isArray && Object.getOwnPropertySymbols(value).length > 0
    ? "has a key that is a symbol"
    : null;
}

function faultIn(
  value: unknown,
  path: readonly (string | number)[] = [],
  ancestors: readonly object[] = [],
): Fault | null {
  const reason = ownFault(value, ancestors);
  if (reason !== null)
    return { reason, path: reason.startsWith("nests") ? path.slice(0, 20) : path };
  if (typeof value !== "object" || value === null) return null;
  const members: [string | number, unknown][] = Array.isArray(value)
    ? Array.from(value, (item, i) => [i, item])
    : Object.entries(value);
  for (const [key, member] of members) {
    const fault = faultIn(member, [...path, key], [...ancestors, value]);
    if (fault !== null) return fault;
  }
  return null;
}

/**
 * A copy of a value of the JSON data model, checked: `-0` becomes `0`, `undefined` becomes `null`
 * at the top and in arrays, and is dropped from objects.
 *
 * @param name the name of the value in messages.
 * @param rule the rule for values in messages.
 * @throws {KvError} KV_INVALID_VALUE for anything else, naming its path.
 */
export function checkedCopy(
  value: unknown,
  name = "value",
  rule = "only JSON can be stored (a codec widens that)",
): Json {
  const copy = jsonCopy(value);
  if (copy !== undefined) return copy;
  let fault: Fault | null;
  try {
    fault = faultIn(value);
  } catch (cause) {
    throw new KvError("KV_INVALID_VALUE", `${name} cannot be read: one of its members throws`, {
      cause,
    });
  }
  const { reason, path } = fault ?? { reason: "changes while it is read", path: [] };
  throw new KvError(
    "KV_INVALID_VALUE",
    `${name}${path.map(segment).join("")} ${reason}: ${adviceFor(reason, rule)}`,
  );
}
