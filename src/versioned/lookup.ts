import type { Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { entryOf } from "./entry.ts";
import { areaOf, type Index, partsOf, placeIn, placeNow, indexPath, standing } from "./indexes.ts";
import { decodeKey, type Key, type KeyPart } from "./key.ts";
import { listEntries } from "./listing.ts";
import { pages, type TextRange } from "./pages.ts";
import type { ListByOptions, ReindexOptions, VersionedEntry, VersionedList } from "./types.ts";
import { decodeVersioned } from "./value.ts";

/** How entries are found by indexes. */
export interface Lookup {
  getBy<T>(name: string, by: KeyPart | Key): Promise<VersionedEntry<T> | null>;
  listBy<T>(name: string, by: KeyPart | Key, options?: ListByOptions): VersionedList<T>;
  reindex(options?: ReindexOptions): Promise<number>;
}

/** What finds entries of a store by these indexes, and makes them right. */
export function lookup(store: Store<unknown>, indexes: readonly Index[]): Lookup {
  const indexOf = (name: string): Index => {
    const index = indexes.find((each) => each.name === name);
    if (index === undefined)
      throw new KvError(
        "KV_INVALID_VALUE",
        `there is no index ${JSON.stringify(name)}: name it in the options of versioned()`,
      );
    return index;
  };

  /** The entry of a text that stands at a place; `null` when it does not, or not any more. */
  async function entryAt<T>(
    index: Index,
    place: string,
    text: unknown,
  ): Promise<VersionedEntry<T> | null> {
    const key = typeof text === "string" ? decodeKey(text) : null;
    const entry = key === null ? null : await store.entry<unknown>(text as string);
    if (
      key === null ||
      entry === null ||
      placeNow(index, text as string, key, decodeVersioned(entry.value)) !== place
    )
      return null;
    return entryOf<T>(key, entry);
  }

  async function one<T>(index: Index, place: string): Promise<VersionedEntry<T> | null> {
    let last: string | null = null;
    for (;;) {
      const found = await store.entry<unknown>(place);
      if (found === null) return null;
      const entry = await entryAt<T>(index, place, found.value);
      // Another may have come to the place since the index was read: only what stays the same is
      // left over from somebody who left the index alone.
      if (entry !== null || found.version === last) return entry;
      last = found.version;
    }
  }

  function listBy<T>(
    name: string,
    by: KeyPart | Key,
    options: ListByOptions = {},
  ): VersionedList<T> {
    checkOptions(options, ["limit", "cursor", "reverse"], "listBy()");
    const rangeNow = (): TextRange => ({
      base: indexPath(indexOf(name), partsOf(by)),
      start: null,
      end: null,
    });
    return listEntries<T>(options, rangeNow, async function* (range, how) {
      const index = indexOf(name);
      if (index.isUnique) {
        const entry = how.after === undefined ? await one<T>(index, range.base) : null;
        if (entry !== null) yield [{ text: range.base, entry }];
        return;
      }
      for await (const page of pages(store, range, how)) {
        const entries = await Promise.all(
          page.map(({ key, value }) => entryAt<T>(index, key, value)),
        );
        yield entries.flatMap((entry, i) =>
          entry === null ? [] : [{ text: page[i]!.key, entry }],
        );
      }
    });
  }

  /** Removes from an index what leads to entries that are not found so. */
  async function removeStale(index: Index): Promise<void> {
    for await (const page of pages(store, { base: areaOf(index), start: null, end: null })) {
      await Promise.all(
        page.map(async ({ key: place, value, version }) => {
          const found = await standing(store, index, value);
          if (found?.place === place) return;
          const leads = found === null ? [] : [{ key: found.text, version: found.version }];
          // Whoever has written one of them since has set the index right.
          await store.commit([{ key: place, version }, ...leads], [{ key: place, value: null }]);
        }),
      );
    }
  }

  /** Puts one entry where the index finds it, as it is when nobody writes it. */
  const settle = (index: Index, text: string, key: KeyPart[]): Promise<true> =>
    untilDone(async () => {
      const entry = await store.entry<unknown>(text);
      const place = entry === null ? null : placeIn(index, text, key, decodeVersioned(entry.value));
      if (entry === null || place === null) return true;
      const found = await store.entry<unknown>(place);
      if (found?.value === text && found.expires === entry.expires) return true;
      const checks = [
        { key: text, version: entry.version },
        { key: place, version: found?.version ?? null },
      ];
      if (found !== null && found.value !== text) {
        const other = await standing(store, index, found.value);
        if (other?.place === place) {
          throw new KvError(
            "KV_VALIDATION",
            `the index ${JSON.stringify(index.name)} is unique, and two entries are found by ` +
              "the same: change one of them",
            { client: store.type, key: text },
          );
        }
        if (other !== null) checks.push({ key: other.text, version: other.version });
      }
      const expires = entry.expires === null ? null : new Date(entry.expires);
      return (await store.commit(checks, [{ key: place, value: text, expires }])).ok || null;
    });

  return {
    listBy,
    async getBy<T>(name: string, by: KeyPart | Key) {
      const index = indexOf(name);
      if (!index.isUnique)
        throw new KvError(
          "KV_INVALID_VALUE",
          `the index ${JSON.stringify(name)} is not unique: listBy() finds all`,
        );
      return one<T>(index, indexPath(index, partsOf(by)));
    },
    async reindex(options: ReindexOptions = {}) {
      checkOptions(options, ["progress"], "reindex()");
      const { progress } = options;
      let done = 0;
      for (const index of indexes) {
        await removeStale(index);
        for await (const page of pages(store, { base: index.base, start: null, end: null })) {
          for (const { key: text } of page) {
            const key = decodeKey(text);
            if (key === null) continue;
            await settle(index, text, key);
            done++;
            progress?.(done);
          }
        }
      }
      return done;
    },
  };
}
