import { type Listing, listingOf } from "./checks.ts";
import { cursorAt, cursorPosition, namesBehind } from "./pages.ts";
import type { NamespaceRecords } from "./records.ts";
import type { Rules } from "./refusal.ts";
import type { KeyPage, ListedKey } from "./types.ts";

/** `namespace.list()`. `prefix` is the prefix of the store. */
export async function listNames(
  records: NamespaceRecords,
  rules: Rules,
  prefix: string,
  options?: unknown,
): Promise<KeyPage> {
  const listing = listingOf(options, rules);
  return records.listInTurn(listing.prefix, () => pageOf(records, rules, prefix, listing));
}

async function pageOf(
  records: NamespaceRecords,
  rules: Rules,
  prefix: string,
  listing: Listing,
): Promise<KeyPage> {
  const index = { store: records.turns.inside, before: prefix, layout: records.layout()! };
  const position = cursorPosition(listing, index, rules);
  // One more than the limit tells whether there is another page.
  const found = await namesBehind(index, listing.prefix, position, listing.limit + 1);
  const keys = found.slice(0, listing.limit).map(({ name, expiration, metadata }): ListedKey => ({
    name,
    ...(expiration !== null && { expiration }),
    ...(metadata !== null && { metadata }),
  }));
  if (found.length <= listing.limit) return { keys, list_complete: true, cacheStatus: null };
  const cursor = cursorAt(keys.at(-1)!.name, listing, index, rules);
  return { keys, list_complete: false, cursor, cacheStatus: null };
}
