import type { Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { areaOf, type Index, placeIn, standing } from "./indexes.ts";
import { decodeKey, type KeyPart } from "./key.ts";
import { pages } from "./pages.ts";
import type { ReindexOptions } from "./types.ts";
import { decodeVersioned } from "./value.ts";

/** Removes the places of an index that lead to no entry, or to an entry of another place. */
async function removeStale(store: Store<unknown>, index: Index): Promise<void> {
  for await (const page of pages(store, { base: areaOf(index), start: null, end: null })) {
    await Promise.all(
      page.map(async ({ key: place, value, version }) => {
        const found = await standing(store, index, value);
        if (found?.place === place) return;
        const leads = found === null ? [] : [{ key: found.text, version: found.version }];
        // A failed check means that a later write has set the index right.
        await store.commit([{ key: place, version }, ...leads], [{ key: place, value: null }]);
      }),
    );
  }
}

/** Tries once to put an entry at its place. Resolves to `true`, or to `null` to try again. */
async function putAtPlace(
  store: Store<unknown>,
  index: Index,
  text: string,
  key: KeyPart[],
): Promise<true | null> {
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
}

/** Sets these indexes right. Resolves to the number of entries that it has looked at. */
export async function reindex(
  store: Store<unknown>,
  indexes: readonly Index[],
  options: ReindexOptions = {},
): Promise<number> {
  checkOptions(options, ["progress"], "reindex()");
  const { progress } = options;
  let done = 0;
  for (const index of indexes) {
    await removeStale(store, index);
    for await (const page of pages(store, { base: index.base, start: null, end: null })) {
      for (const { key: text } of page) {
        const key = decodeKey(text);
        if (key === null) continue;
        await untilDone(() => putAtPlace(store, index, text, key));
        done++;
        progress?.(done);
      }
    }
  }
  return done;
}
