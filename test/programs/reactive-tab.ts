// What the tabs of test/reactive/tabs.test.ts load.
import { createKVStore, kv } from "../../src/reactive/index.ts";
import anykv from "../../src/index.ts";
import { rich } from "../../src/codec.ts";

const requested = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** What is stored, through a connection of its own. */
async function rows(database: string, store: string): Promise<{ [key: string]: unknown }> {
  const db = await requested(indexedDB.open(database));
  try {
    const items = db.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all([
      requested(items.getAllKeys()),
      requested(items.getAll() as IDBRequest<unknown[]>),
    ]);
    return Object.fromEntries(keys.map((key, i) => [key as string, values[i]]));
  } finally {
    db.close();
  }
}

/** Makes everything global. */
export const install = (): void =>
  void Object.assign(globalThis, { createKVStore, kv, anykv, rich, rows });
