import { KvError } from "../errors.ts";

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
