import { reactive, toRaw } from "./proxies.ts";

/** The kind of an object, of any realm. */
export const kindOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

/**
 * Dates and bytes can be changed in place, so they are copied too. A value that cannot be cloned is
 * rejected when it is written.
 */
function leaf(value: object): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/** A member like any other, `__proto__` too. */
function define(target: object, key: string, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  else (target as { [key: string]: unknown })[key] = value;
}

/**
 * Copies one level of an object that is no proxy; reads through the proxy, so that an effect that
 * runs this is notified of changes. `begun` is given the copy before it is filled.
 */
export function copyLevel(
  raw: object,
  copyOf: (part: unknown) => unknown,
  begun?: (copy: object) => void,
): unknown {
  const kind = kindOf(raw);
  const copy =
    kind === "Object"
      ? {}
      : kind === "Array"
        ? []
        : kind === "Map"
          ? new Map<unknown, unknown>()
          : kind === "Set"
            ? new Set<unknown>()
            : undefined;
  if (copy === undefined) return leaf(raw);
  begun?.(copy);
  const live: unknown = reactive(raw);
  if (copy instanceof Map)
    for (const [key, value] of live as typeof copy) copy.set(copyOf(key), copyOf(value));
  else if (copy instanceof Set) for (const value of live as typeof copy) copy.add(copyOf(value));
  else if (Array.isArray(copy))
    for (let i = 0, { length } = live as unknown[]; i < length; i++)
      copy.push(copyOf((live as unknown[])[i]));
  else
    for (const key of Object.keys(live as object))
      define(copy, key, copyOf((live as { [key: string]: unknown })[key]));
  return copy;
}

/** A copy without proxies. */
export function plain(
  value: unknown,
  seen: Map<object, unknown> = new Map<object, unknown>(),
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const raw = toRaw(value);
  const known = seen.get(raw);
  if (known !== undefined) return known;
  const copy = copyLevel(
    raw,
    (part) => plain(part, seen),
    (begun) => seen.set(raw, begun),
  );
  seen.set(raw, copy);
  return copy;
}
