import type { Entry } from "../api.ts";
import type { KeyPart } from "./key.ts";
import type { MissingEntry, VersionedEntry } from "./types.ts";
import { decodeVersioned } from "./value.ts";

/**
 * The version of records in a client that keeps no versions: no write makes it, so no check of it
 * holds.
 */
export const UNVERSIONED: string = "0".repeat(20);

/** An entry of a store as one with this key. */
export function entryOf<T>(key: KeyPart[], { value, version }: Entry<unknown>): VersionedEntry<T> {
  return { key, value: decodeVersioned(value) as T, version: version ?? UNVERSIONED };
}

/** The entry of a key that is not there. */
export const missing = (key: KeyPart[]): MissingEntry => ({ key, value: null, version: null });
