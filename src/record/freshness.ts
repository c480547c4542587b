import type { Check, KvRecord } from "./types.ts";
import { versionOf } from "./version.ts";

/**
 * Whether what is stored is what the check expects: the same version, or nothing for `null`.
 * Expired counts as nothing.
 */
export function holds(check: Check, record: KvRecord | null, now: number): boolean {
  return (isFresh(record, now) ? versionOf(record) : null) === check.version;
}

/**
 * The keys of the checks that do not hold; `read` answers with what is stored now, by the key and
 * the place of the check.
 */
export function failedChecks(
  checks: readonly Check[],
  read: (key: string, place: number) => KvRecord | null,
  now: number,
): string[] {
  return checks
    .filter((check, place) => !holds(check, read(check.key, place), now))
    .map((check) => check.key);
}

/** Whether a record is there at the moment `now`: present, and its deadline not reached. */
export function isFresh(record: KvRecord | null, now: number): record is KvRecord {
  return record !== null && (record.expires === null || record.expires > now);
}
