import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { fullKey } from "../prefix.ts";
import { EPOCH, type TagCounter, TAG_PREFIX, type TagVersions } from "./entry.ts";
import type { CacheState } from "./state.ts";
import type { Tags } from "./tags.ts";

/** @throws {KvError} KV_INVALID_KEY, KV_TOO_LARGE, or KV_NOT_SUPPORTED. */
export function checkTags({ type, supports, options }: Store, tags: readonly string[]): void {
  if (tags.length === 0) return;
  for (const tag of tags) fullKey(options.prefix + TAG_PREFIX, tag, supports.keyBytes);
  if (type !== "PENDING" && supports.atomic === "no")
    throw new KvError(
      "KV_NOT_SUPPORTED",
      `${type} offers no compare-and-set, so the values of a cache cannot have tags there`,
      { client: type },
    );
}

/** Changes with every invalidation of any tag. */
export const epochOf = async (store: Store): Promise<number | null> =>
  (await store.get<TagCounter>(EPOCH))?.[0] ?? null;

/**
 * The versions of some tags, to store with a value. Their counters are kept for longer than it.
 *
 * @param until when the value expires; `null` for never.
 */
export const versionsOf = async (
  state: CacheState,
  tags: readonly string[],
  until: number | null,
): Promise<TagVersions> => (tags.length === 0 ? [] : (await tagsOf(state)).versions(tags, until));

/** The tags of a cache. Their code is loaded by the first use. */
export async function tagsOf(state: CacheState): Promise<Tags> {
  if (state.tags !== null) return state.tags;
  const code = await import("./tags.ts");
  return (state.tags ??= new code.Tags(state.store, state.tiers === null ? 0 : state.tiers.ttl));
}
