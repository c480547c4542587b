import type { KVSeed } from "./types.ts";

// Versions of users stay below this. Each later addition at the same version adds one step.
const STEP = 2 ** 32;

/** The object stores that this program declared for each database, with their seeds. */
const declared = new Map<string, Map<string, readonly KVSeed<unknown>[] | undefined>>();

/**
 * The name of an empty object store. It exists once seeds were written or came too late: then
 * removing all rows does not bring them back.
 */
const marker = (name: string): string => `${name}.seeded`;

/** Declares an object store, which is made by the next opening of its database. */
export function declare(
  dbName: string,
  name: string,
  seeds: readonly KVSeed<unknown>[] | undefined,
): void {
  const stores = declared.get(dbName) ?? new Map<string, readonly KVSeed<unknown>[] | undefined>();
  declared.set(dbName, stores.set(name, seeds));
}

/** The version to open a database with; `undefined` when it has all that was declared. */
export function nextVersion(db: IDBDatabase, version: number): number | undefined {
  const own = ownVersion(db);
  if (own < version) return db.version - own + version;
  return isMissing(db) ? db.version + STEP : undefined;
}

/** The version of the database that the user has named. */
export const ownVersion = (db: IDBDatabase): number => db.version % STEP;

/** Whether something that was declared is missing. */
function isMissing(db: IDBDatabase): boolean {
  for (const [name, seeds] of declared.get(db.name)!) {
    if (
      !db.objectStoreNames.contains(name) ||
      (seeds && !db.objectStoreNames.contains(marker(name)))
    )
      return true;
  }
  return false;
}

export function makeStores(db: IDBDatabase, transaction: IDBTransaction): void {
  for (const [name, seeds] of declared.get(db.name)!) {
    const rows = db.objectStoreNames.contains(name)
      ? transaction.objectStore(name)
      : db.createObjectStore(name);
    if (!seeds || db.objectStoreNames.contains(marker(name))) continue;
    db.createObjectStore(marker(name));
    const counting = rows.count();
    counting.onsuccess = () => {
      if (counting.result === 0) for (const [key, value] of seeds) rows.put(value, key);
    };
  }
}
