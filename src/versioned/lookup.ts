import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { entryOf } from "./entry.ts";
import { type Index, indexPath, partsOf, placeNow } from "./indexes.ts";
import { decodeKey, type Key, type KeyPart } from "./key.ts";
import { type Listed, listEntries } from "./listing.ts";
import { type PageOptions, pages, type TextRange } from "./pages.ts";
import { reindex } from "./reindex.ts";
import type { ListByOptions, ReindexOptions, VersionedEntry, VersionedList } from "./types.ts";
import { decodeVersioned } from "./value.ts";

/** Finds entries of a store by its indexes. */
export class Lookup {
  readonly #store: Store<unknown>;
  readonly #indexes: readonly Index[];

  constructor(store: Store<unknown>, indexes: readonly Index[]) {
    this.#store = store;
    this.#indexes = indexes;
  }

  #index(name: string): Index {
    const index = this.#indexes.find((each) => each.name === name);
    if (index === undefined)
      throw new KvError(
        "KV_INVALID_VALUE",
        `there is no index ${JSON.stringify(name)}: name it in the options of versioned()`,
      );
    return index;
  }

  /** The entry of a text, `null` unless the index has it at this place now. */
  async #entryAt<T>(index: Index, place: string, text: unknown): Promise<VersionedEntry<T> | null> {
    const key = typeof text === "string" ? decodeKey(text) : null;
    const entry = key === null ? null : await this.#store.entry<unknown>(text as string);
    if (
      key === null ||
      entry === null ||
      placeNow(index, text as string, key, decodeVersioned(entry.value)) !== place
    )
      return null;
    return entryOf<T>(key, entry);
  }

  /** The entry at a place of a unique index. */
  async #unique<T>(index: Index, place: string): Promise<VersionedEntry<T> | null> {
    let last: string | null = null;
    for (;;) {
      const found = await this.#store.entry<unknown>(place);
      if (found === null) return null;
      const entry = await this.#entryAt<T>(index, place, found.value);
      // Another entry may have come to the place since the index was read. The same version twice
      // was left by a writer that does not maintain the index.
      if (entry !== null || found.version === last) return entry;
      last = found.version;
    }
  }

  async getBy<T>(name: string, by: KeyPart | Key): Promise<VersionedEntry<T> | null> {
    const index = this.#index(name);
    if (!index.isUnique)
      throw new KvError(
        "KV_INVALID_VALUE",
        `the index ${JSON.stringify(name)} is not unique: listBy() finds all`,
      );
    return this.#unique<T>(index, indexPath(index, partsOf(by)));
  }

  listBy<T>(name: string, by: KeyPart | Key, options: ListByOptions = {}): VersionedList<T> {
    checkOptions(options, ["limit", "cursor", "reverse"], "listBy()");
    const rangeNow = (): TextRange => ({
      base: indexPath(this.#index(name), partsOf(by)),
      start: null,
      end: null,
    });
    return listEntries<T>(options, rangeNow, (range, how) => this.#pages<T>(name, range, how));
  }

  async *#pages<T>(
    name: string,
    range: TextRange,
    how: PageOptions,
  ): AsyncGenerator<Listed<T>[], void, undefined> {
    const index = this.#index(name);
    if (index.isUnique) {
      const entry = how.after === undefined ? await this.#unique<T>(index, range.base) : null;
      if (entry !== null) yield [{ text: range.base, entry }];
      return;
    }
    for await (const page of pages(this.#store, range, how)) {
      const entries = await Promise.all(
        page.map(({ key, value }) => this.#entryAt<T>(index, key, value)),
      );
      yield entries.flatMap((entry, i) => (entry === null ? [] : [{ text: page[i]!.key, entry }]));
    }
  }

  reindex(options?: ReindexOptions): Promise<number> {
    return reindex(this.#store, this.#indexes, options);
  }
}
