import { StoredRecord } from "./record.ts";
import { copyOf } from "./value.ts";

/** A record to hand out: what a client keeps as an object is never given away, since the caller may change it. Texts and numbers need no copy. */
export function isolated(record: StoredRecord): StoredRecord {
  const { value, metadata } = record;
  if (typeof value !== "object" && metadata === null) return record;
  return new StoredRecord(copyOf(value), record.expires, record.version, copyOf(metadata));
}
