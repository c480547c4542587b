import { StoredRecord } from "./record.ts";
import type { Json, KvRecord } from "./types.ts";
import { copyOf } from "./value.ts";

/**
 * A record to hand out: what a client keeps as an object is never given away, since the caller may
 * change it. Texts and numbers need no copy.
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
