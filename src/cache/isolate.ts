import { copyOf, isPlain, MAX_DEPTH } from "../record/json.ts";
import type { Json } from "../types.ts";

/** The result of {@link inspect}. */
export interface Inspected {
  /** About how many bytes of memory the value takes; `Infinity` for more than the limit. */
  readonly bytes: number;
  /** How to copy it: not at all, as JSON, as the platform does, or in no way. */
  readonly kind: "shared" | "json" | "clone" | "none";
}

const CLONED = /^\[object (Date|RegExp|ArrayBuffer|DataView|\w+Array)\]$/;

/** Measures a value, and finds out how to make copies that share nothing with it. */
export function inspect(root: unknown, limit: number): Inspected {
  let bytes = 0;
  let isJson = true;

  /** Whether a part can be copied. */
  function visit(value: unknown, depth: number): boolean {
    bytes += 8;
    if (bytes > limit || depth > MAX_DEPTH) return false;
    if (typeof value === "string") bytes += value.length * 2;
    if (typeof value !== "object" || value === null)
      return typeof value !== "function" && typeof value !== "symbol";
    const each = (part: unknown): boolean => visit(part, depth + 1);
    const isArray = Array.isArray(value);
    if (isPlain(value, isArray)) {
      if (isArray) return value.every(each);
      isJson &&= Object.getPrototypeOf(value) !== null;
      return Object.entries(value).every(([key, part]) => {
        bytes += key.length * 2;
        return each(part);
      });
    }
    isJson = false;
    if (value instanceof Map) return [...value].flat().every(each);
    if (value instanceof Set) return [...value].every(each);
    bytes += (value as Partial<ArrayBufferView>).byteLength ?? 0;
    return CLONED.test(Object.prototype.toString.call(value));
  }

  const canCopy = visit(root, 0);
  if (bytes > limit) return { bytes: Infinity, kind: "none" };
  if (!canCopy) return { bytes, kind: "none" };
  const isShared = typeof root !== "object" || root === null;
  return { bytes, kind: isShared ? "shared" : isJson ? "json" : "clone" };
}

/** A copy that shares nothing with the value, if there is a way to make one. */
export const isolate = (value: unknown, kind: Inspected["kind"]): unknown =>
  kind === "json" ? copyOf(value as Json) : kind === "clone" ? structuredClone(value) : value;
