import { reactive, toRaw } from "@vue/reactivity";

/** What is looked into; everything else is a leaf. */
type Kind = "Object" | "Array" | "Map" | "Set";

/** The kind of an object, of any realm. */
export const kindOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

/** Dates and bytes can be changed in place, so they are copied too. What cannot be cloned is refused when it is written. */
function leaf(value: object): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/** A member like any other, `__proto__` too. */
function define(target: object, key: string, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else (target as { [key: string]: unknown })[key] = value;
}

/** Copies one level of an object that is no proxy; reads through the proxy, so that whoever runs this as an effect hears of changes. */
export function level(raw: object, begun: (copy: object) => void, copyOf: (part: unknown) => unknown): unknown {
  const kind = kindOf(raw) as Kind;
  const live: unknown = reactive(raw);
  if (kind === "Array") {
    const copy: unknown[] = [];
    begun(copy);
    for (let i = 0, { length } = live as unknown[]; i < length; i++) copy.push(copyOf((live as unknown[])[i]));
    return copy;
  }
  if (kind === "Object") {
    const copy = {};
    begun(copy);
    for (const key of Object.keys(live as object)) define(copy, key, copyOf((live as { [key: string]: unknown })[key]));
    return copy;
  }
  if (kind === "Map") {
    const copy = new Map<unknown, unknown>();
    begun(copy);
    for (const [key, value] of live as Map<unknown, unknown>) copy.set(copyOf(key), copyOf(value));
    return copy;
  }
  if (kind === "Set") {
    const copy = new Set<unknown>();
    begun(copy);
    for (const value of live as Set<unknown>) copy.add(copyOf(value));
    return copy;
  }
  return leaf(raw);
}

/** A copy without proxies. */
export function plain(value: unknown, seen: Map<object, unknown> = new Map<object, unknown>()): unknown {
  if (typeof value !== "object" || value === null) return value;
  const raw = toRaw(value);
  const known = seen.get(raw);
  if (known !== undefined) return known;
  const copy = level(raw, (begun) => seen.set(raw, begun), (part) => plain(part, seen));
  seen.set(raw, copy);
  return copy;
}
