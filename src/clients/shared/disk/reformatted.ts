import { StoredRecord } from "../../../record/record.ts";
import type { Json } from "../../../types.ts";
import { decodeRecord, encodeRecord } from "../../../record/text-format.ts";

/**
 * The text of a record that an editor or a formatter has laid out anew; `null` for anything
 * else.
 */
export function reformatted(parsed: unknown): string | null {
  const {
    kv,
    version,
    expires,
    metadata = null,
    value,
  } = Object(parsed) as { [name: string]: Json | undefined };
  if (kv !== 1 || typeof version !== "string" || value === undefined || expires === undefined)
    return null;
  const text = encodeRecord(new StoredRecord(value, expires as number | null, version, metadata));
  // Refuses a version or a deadline that we would not have written.
  return decodeRecord(text, "", false) === null ? null : text;
}
