import { encodeRecord, recordIn } from "../../record/text-format.ts";
import type { QuickItems } from "../adapter.ts";
import { asQuota } from "../../platform/quota.ts";
import { deadlinesOf } from "../shared/deadlines.ts";

/**
 * `localStorage`, `sessionStorage`, or anything of their shape. Only methods are used: any key is
 * safe.
 */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** Writes a text, or removes the item for `null`. */
export function putText(client: StorageLike, key: string, text: string | null): void {
  try {
    if (text === null) client.removeItem(key);
    else client.setItem(key, text);
  } catch (error) {
    throw asQuota(error, key);
  }
}

/** The single records of Web Storage. */
export function storageItems(client: StorageLike): QuickItems {
  const deadlines = deadlinesOf(client);
  return {
    get: (key) => recordIn(client.getItem(key), key),
    set(key, record) {
      if (record.expires !== null) deadlines.known = true;
      putText(client, key, encodeRecord(record));
    },
    del: (key) => client.removeItem(key),
  };
}
