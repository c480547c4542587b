import { KvError } from "../../errors.ts";
import { StoredRecord } from "../../record/record.ts";
import type { WorkersKey } from "./keys.ts";
import type { KvRecord } from "../../record/types.ts";
import { observe } from "../../record/version.ts";

/** How many calls are under way at a time: workers open no more connections. */
export const ABREAST = 6;

const SHORTEST_TTL = 60;
const LONGEST_TTL = 2 ** 31 - 1;

/** Does something with each part of a list, a few parts at a time. */
export async function inParts<T, R>(
  items: readonly T[],
  size: number,
  work: (part: readonly T[]) => Promise<R[]>,
): Promise<R[]> {
  const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
  const results: R[] = [];
  for (let i = 0; i < parts.length; i += ABREAST)
    results.push(...(await Promise.all(parts.slice(i, i + ABREAST).map(work))).flat());
  return results;
}

/** The record of a listed key without its value; `null` for a foreign key. */
export function headOf({ metadata }: WorkersKey): KvRecord | null {
  const { v, e = null } = Object(metadata) as { v?: unknown; e?: unknown };
  if (typeof v !== "string" || !/^[0-9a-f]{20}$/.test(v) || (e !== null && typeof e !== "number"))
    return null;
  observe(v);
  return new StoredRecord(null, e, v, null);
}

/**
 * The native deadline, as time that is left, so that the clocks need not agree: a second more makes
 * up for the one that is begun.
 */
export function expirationOption({ expires }: KvRecord): { expirationTtl?: number } {
  if (expires === null) return {};
  const expirationTtl = Math.max(SHORTEST_TTL, Math.ceil((expires - Date.now()) / 1000) + 1);
  return expirationTtl > LONGEST_TTL ? {} : { expirationTtl };
}

/** The status in an error of Workers KV. */
export const statusOf = (error: unknown): string | undefined =>
  /^KV \w+ failed: (\d+)/.exec(String((error as Partial<Error> | null)?.message))?.[1];

/** An error of a write as ours where its meaning is known. */
export function workersError(error: unknown, key: string): unknown {
  const status = statusOf(error);
  if (status === "413" || status === "414")
    return new KvError("KV_TOO_LARGE", "the key or the record is larger than Workers KV takes", {
      key,
      cause: error,
    });
  if (status === "429")
    return new KvError(
      "KV_RATE_LIMITED",
      "Workers KV takes one write a second for a key: wait, or write less often",
      { key, cause: error },
    );
  return error;
}
