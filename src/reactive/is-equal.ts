import { kindOf } from "./copy.ts";

/** Whether two values have equal contents. Values with parts of any other kind are never equal. */
export function isEqual(
  a: unknown,
  b: unknown,
  seen: Map<unknown, unknown> = new Map<unknown, unknown>(),
): boolean {
  // In a circular value, a pair that is being compared counts as equal until it proves unequal.
  if (Object.is(a, b) || (seen.has(a) && seen.get(a) === b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  seen.set(a, b);
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (kind === "Date") return isEqual(+a, +b);
  if (kind === "ArrayBuffer")
    return isEqual(new Uint8Array(a as ArrayBuffer), new Uint8Array(b as ArrayBuffer));
  if (kind === "RegExp" || kind.startsWith("URL")) return String(a) === String(b);
  if (kind === "Map" || kind === "Set")
    return isEqual([...(a as Set<unknown>)], [...(b as Set<unknown>)], seen);
  if (!ArrayBuffer.isView(a) && kind !== "Object" && kind !== "Array") return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isEqual(
          (a as { [key: string]: unknown })[key],
          (b as { [key: string]: unknown })[key],
          seen,
        ),
    )
  );
}
