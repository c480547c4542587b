import type { Entry } from "../api.ts";
import type { Expires } from "../types.ts";
import type { Place } from "./place.ts";

/** The expiry that an entry has, for a write that keeps it. */
export const keptExpiry = (entry: Entry<unknown> | null): Expires | undefined =>
  entry === null ? undefined : entry.expires === null ? null : new Date(entry.expires);

/** How an entry is written again: with its metadata, and its deadline unless another is given. */
export function keptOptions(
  place: Place,
  entry: Entry<unknown> | null,
  expires: Expires | undefined,
): {
  readonly deadline: number | null;
  readonly options: { expires?: Expires | undefined; metadata?: Entry<unknown>["metadata"] };
} {
  const given = place.deadline(expires);
  if (entry === null)
    return {
      deadline: given === undefined ? (place.deadline(place.base.context.expires) ?? null) : given,
      options: expires === undefined ? {} : { expires },
    };
  return {
    deadline: given === undefined ? entry.expires : given,
    options: {
      expires: expires === undefined ? keptExpiry(entry) : expires,
      metadata: entry.metadata,
    },
  };
}
