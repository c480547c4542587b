import { KvError } from "../errors.ts";
import { foreign } from "../record.ts";

/** The error for a record that Redis cannot hold. */
export function tooLarge(key: string | undefined, cause?: unknown): KvError {
  return new KvError("KV_TOO_LARGE", "the record is larger than Redis keeps in one key: nothing was written", { key, cause });
}

/** The error as this library says it, where it has a code for it. Scripts of old servers wrap the errors of their commands. */
export function translated(cause: unknown, key?: string): unknown {
  const message = String((cause as Partial<Error> | null)?.message);
  if (/\bWRONGTYPE\b/.test(message) && key !== undefined) return foreign(key);
  if (/\bOOM command not allowed/.test(message)) return new KvError("KV_QUOTA", "the memory of Redis is full (maxmemory): nothing was written; delete something first", { key, cause });
  if (/invalid bulk length|exceeds maximum allowed size/.test(message)) return tooLarge(key, cause);
  return cause;
}
