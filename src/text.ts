import { KvError } from "./errors.ts";
import { decodeRecord, foreign, type StoredRecord } from "./record.ts";

/**
 * The record in what a client of texts has under a key; `null` for nothing. With `values` false
 * only its head is read.
 *
 * @throws {KvError} KV_FOREIGN for anything that this library did not write, KV_CORRUPT for a
 * damaged record.
 */
export function recordIn(item: unknown, key: string, values = true): StoredRecord | null {
  if (item === null || item === undefined) return null;
  const record = typeof item === "string" ? decodeRecord(item, key, values) : null;
  if (record === null) throw foreign(key);
  return record;
}

/**
 * An error of the platform as KV_QUOTA when it says that the storage is full, unchanged otherwise.
 */
export function asQuota(error: unknown, key?: string): unknown {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  const full =
    name === "QuotaExceededError" ||
    name === "NS_ERROR_DOM_QUOTA_REACHED" ||
    code === 22 ||
    code === 1014;
  if (!full) return error;
  return new KvError(
    "KV_QUOTA",
    "the storage of this site is full: nothing was written; delete something first",
    { key, cause: error },
  );
}
