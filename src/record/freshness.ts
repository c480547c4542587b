import type { Check, KvRecord } from "./types.ts";
import { versionOf } from "./version.ts";

/**
 * Whether a check holds for the stored record: it has the same version, or is absent for `null`.
 * Expired counts as nothing.
 */
export function holds(check: Check, record: KvRecord | null, now: number): boolean {
  return (isFresh(record, now) ? versionOf(record) : null) === check.version;
}

/**
 * The keys of the checks that do not hold; `read` answers with the stored record, by the key and
 * the index of the check.
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
