import type { Write } from "../../record/types.ts";
import { asQuota } from "../../platform/quota.ts";
import { encodeRecord } from "../../record/text-format.ts";

/** The part of localForage that reads and writes items. */
export interface ForageItems {
  getItem(key: string): Promise<unknown>;
  setItem(key: string, value: string): Promise<unknown>;
  removeItem(key: string): Promise<unknown>;
}

/**
 * The key under which a write of several items announces its changes. A store's keys never hold a
 * lone surrogate, so it is none of them.
 */
const JOURNAL = "\ud800anykv";

type Step = readonly [key: string, before: string | null, after: string | null];

/**
 * An item, `null` for none. A foreign item that the localStorage driver cannot parse is an
 * item too.
 */
export async function itemOf(items: ForageItems, key: string): Promise<unknown> {
  try {
    return await items.getItem(key);
  } catch (error) {
    if ((error as Error).name === "SyntaxError") return {};
    throw error;
  }
}

/** @throws {KvError} KV_QUOTA when the storage is full: the old item is still there. */
export async function writeItem(items: ForageItems, key: string, item: unknown): Promise<void> {
  try {
    await (item === null ? items.removeItem(key) : items.setItem(key, item as string));
  } catch (error) {
    throw asQuota(error, key);
  }
}

// Enough of an item to know it again: a record starts with its version.
const mark = (item: unknown): string | null =>
  item === null ? null : (JSON.stringify(item) ?? "").slice(0, 80);

/**
 * Finishes a write that a closed page or a lost connection has interrupted. Later writes to its
 * keys are kept.
 */
export async function recover(items: ForageItems): Promise<void> {
  const journal = await items.getItem(JOURNAL);
  if (typeof journal !== "string") return;
  for (const [key, before, after] of JSON.parse(journal) as Step[]) {
    if (mark(await itemOf(items, key)) === before) await writeItem(items, key, after);
  }
  await items.removeItem(JOURNAL);
}

/**
 * Makes all changes or none. An outage before the journal is written leaves none, a later one
 * leaves all as soon as `recover()` has run. The caller keeps other writers away
 * meanwhile.
 */
export async function writeTogether(items: ForageItems, writes: readonly Write[]): Promise<void> {
  const single = writes.length < 2;
  if (!single) await recover(items);
  const changes = await Promise.all(
    writes.map(async ({ key, record }) => ({
      key,
      before: single ? null : await itemOf(items, key),
      after: record && encodeRecord(record),
    })),
  );
  if (!single)
    await writeItem(
      items,
      JOURNAL,
      JSON.stringify(changes.map(({ key, before, after }): Step => [key, mark(before), after])),
    );
  let done = 0;
  try {
    for (const { key, after } of changes) {
      await writeItem(items, key, after);
      done++;
    }
  } catch (error) {
    for (const { key, before } of changes.slice(0, done).reverse())
      await writeItem(items, key, before);
    throw error;
  } finally {
    if (!single) await items.removeItem(JOURNAL);
  }
}
