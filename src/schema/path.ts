import { KvError } from "../errors.ts";

/** Separates the parts of a path. */
export const SEPARATOR = ":";

/**
 * A name as a part of a path: a colon in it is `%3A` and a percent sign `%25`, so that no two paths
 * are written alike.
 *
 * @throws {KvError} KV_INVALID_KEY for anything but a non-empty, well-formed string.
 */
export function encodeName(name: unknown): string {
  if (typeof name === "string" && name !== "" && name.isWellFormed())
    return name.replace(/[%:]/g, (char) => (char === ":" ? "%3A" : "%25"));
  throw new KvError(
    "KV_INVALID_KEY",
    "the names of stores and fields are non-empty, well-formed strings",
  );
}

/** The name that a part stands for. */
export function decodeName(part: string): string {
  return part.replace(/%(?:3A|25)/g, (code) => (code === "%3A" ? ":" : "%"));
}
