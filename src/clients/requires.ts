import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import type { Requires, Supports } from "../types.ts";

// Of each capability that is told in words, the least first.
const WORDS: readonly string[] = ["no", "process", "yes", "layered", "polled", "native"];

/** How much of a capability there is; `NaN` for what says nothing about one like the other. */
function amount(value: unknown, other: unknown): number {
  if (typeof value !== typeof other) return NaN;
  if (typeof value !== "string") return Number(value);
  return WORDS.includes(value) ? WORDS.indexOf(value) : NaN;
}

const shown = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : String(value);

/**
 * Throws unless a client has at least the capabilities that are required.
 *
 * @throws {KvError} KV_NOT_SUPPORTED, which names the missing capabilities; KV_INVALID_VALUE for a
 * requirement that cannot be read.
 */
export function checkRequires(
  requires: Requires | undefined,
  supports: Supports,
  client: string,
): void {
  if (requires === undefined) return;
  checkOptions(requires, Object.keys(supports), "requires");
  const lacks: string[] = [];
  for (const [name, needed] of Object.entries(requires)) {
    if (needed === undefined) continue;
    const found = supports[name as keyof Supports];
    const least = amount(needed, found);
    if (Number.isNaN(least))
      throw new KvError("KV_INVALID_VALUE", `requires.${name} cannot be ${shown(needed)}`);
    if (amount(found, found) < least) lacks.push(`${name} is ${shown(found)}`);
  }
  if (lacks.length === 0) return;
  throw new KvError(
    "KV_NOT_SUPPORTED",
    `${client} does not have what is required: ${lacks.join(", ")} (see store.supports)`,
    { client },
  );
}
