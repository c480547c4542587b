import type { Store } from "../../api.ts";
import { update } from "../../atomic/update.ts";
import { builtin } from "../../platform/node.ts";

/** When the entries with a tag become stale and absent: milliseconds since 1970. */
interface TagTimes {
  readonly stale?: number;
  readonly expired?: number;
}

/** How long an entry is kept at most. A tag has to be known for as long. */
export const YEAR: number = 365 * 86_400_000;

/** The clock that Next.js takes the times of its entries from. */
export const now = (): number => performance.timeOrigin + performance.now();

/** A key for a text of any length. */
export const nextKey = (text: string): string =>
  builtin("node:crypto").createHash("sha256").update(text).digest("base64url");

/** The revalidations of tags. */
export class NextTags {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store.prefix("t:");
  }

  /** What became of an entry with these tags that was begun at a time. */
  async look(tags: readonly string[], since: number): Promise<"fresh" | "stale" | "absent"> {
    if (tags.length === 0) return "fresh";
    const found = (await this.#store.getMany(
      [...new Set(tags)].map(nextKey),
    )) as (TagTimes | null)[];
    const at = now();
    let state: "fresh" | "stale" = "fresh";
    for (const times of found) {
      const { stale = 0, expired = 0 } = times ?? {};
      if (expired > since && expired <= at) return "absent";
      if (stale > since) state = "stale";
    }
    return state;
  }

  /**
   * Makes the entries with these tags absent. With durations they are stale at once, and absent
   * after `expire` seconds.
   */
  async revalidate(
    tags: readonly string[],
    durations: { readonly expire?: number | undefined } | undefined,
  ): Promise<void> {
    const at = now();
    const delay = durations?.expire;
    const set: TagTimes = {
      ...(durations && { stale: at }),
      ...(durations === undefined && { expired: at }),
      ...(delay !== undefined && { expired: at + delay * 1000 }),
    };
    // An entry that was begun before the end has this tag for a year at most.
    const expires = new Date(Math.min((set.expired ?? at) + YEAR, 253e12));
    await Promise.all(
      tags.map((tag) =>
        update(this.#store as Store<TagTimes>, nextKey(tag), (old) => ({ ...old, ...set }), {
          expires,
        }),
      ),
    );
  }
}
