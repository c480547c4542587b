import type { Json } from "../types.ts";
import type { KvRecord } from "./types.ts";
import { copyOf } from "./json.ts";

/**
 * A record as this library makes it. It is never changed after it was made; the class is how the
 * memory client tells records from foreign items in its Map.
 */
export class StoredRecord implements KvRecord {
  readonly value: Json;
  readonly expires: number | null;
  readonly version: string | number | null;
  readonly metadata: Json;

  constructor(
    value: Json,
    expires: number | null,
    version: string | number | null,
    metadata: Json,
  ) {
    this.value = value;
    this.expires = expires;
    this.version = version;
    this.metadata = metadata;
  }
}

/**
 * A copy of a record for the caller, who may change it. Objects that a client keeps are never
 * handed out. Texts and numbers need no copy.
 */
export function isolated<R extends KvRecord>(record: R): R | StoredRecord {
  const { value, metadata } = record;
  if (typeof value !== "object" && metadata === null) return record;
  const copy =
    (value as unknown) instanceof Uint8Array
      ? (value as unknown as Uint8Array).slice()
      : copyOf(value);
  return new StoredRecord(copy as Json, record.expires, record.version, copyOf(metadata));
}
