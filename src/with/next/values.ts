import { builtin } from "../../platform/node.ts";

// The one member of an object that stands for something else.
const MARK = "$next";

interface Members {
  readonly [name: string]: unknown;
}

const isObject = (value: unknown): value is Members => typeof value === "object" && value !== null;

const mapMembers = (value: Members, map: (member: unknown) => unknown): Members =>
  Object.fromEntries(Object.entries(value).map(([name, member]) => [name, map(member)]));

/** A value of Next.js as JSON: it can contain Buffers, and a Map of Buffers. */
export function encodeNext(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (value instanceof Uint8Array)
    return { [MARK]: builtin("node:buffer").Buffer.from(value).toString("base64") };
  if (value instanceof Map) return { [MARK]: [...value].map((pair) => pair.map(encodeNext)) };
  if (Array.isArray(value)) return value.map(encodeNext);
  const members = mapMembers(value, encodeNext);
  return Object.hasOwn(value, MARK) ? { [MARK]: members } : members;
}

/** The reverse. */
export function decodeNext(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return value.map(decodeNext);
  if (!Object.hasOwn(value, MARK)) return mapMembers(value, decodeNext);
  const marked = value[MARK];
  if (typeof marked === "string") return builtin("node:buffer").Buffer.from(marked, "base64");
  if (Array.isArray(marked))
    return new Map(marked.map((pair: [unknown, unknown]) => [pair[0], decodeNext(pair[1])]));
  return mapMembers(marked as Members, decodeNext);
}
