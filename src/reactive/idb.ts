import { ended, type IdbConnection, idbConnection, type Task } from "../platform/indexeddb.ts";
import { ownValue } from "../platform/lost-indexeddb.ts";
import { KvError } from "../errors.ts";
import { toKvError } from "../store/failure.ts";
import type { Backend, RowChange, Memory } from "./backend.ts";
import { isEqual, live, type Shared } from "./live.ts";
import type { KVSeed } from "./types.ts";

// Versions that users name stay below. What is added later, at the same version, counts in steps
// above.
const STEP = 2 ** 32;

/**
 * What was declared for a database in this program: the object stores, with their seeds. All of
 * them are made at once.
 */
const declared = new Map<string, Map<string, readonly KVSeed<unknown>[] | undefined>>();

/**
 * The empty object store that says that seeds were sown, or came too late: removing everything does
 * not bring them back.
 */
const marker = (name: string): string => `${name}.seeded`;

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

function make(db: IDBDatabase, transaction: IDBTransaction): void {
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

function put(rows: IDBObjectStore, [key, value]: RowChange): void {
  try {
    if (value === undefined) rows.delete(key);
    else rows.put(value, key);
  } catch (cause) {
    // A connection that is closed is opened again, for once more; a value that cannot be cloned
    // stays so.
    if ((cause as Error).name !== "DataCloneError") throw cause;
    throw new KvError(
      "KV_INVALID_VALUE",
      `the value under ${JSON.stringify(key)} holds something that cannot be stored, such as a ` +
        "function, or nests too deep",
      { key, cause },
    );
  }
}

/**
 * Rows in an object store: the values themselves, under their keys. The transactions of the
 * database are their order, across all tabs.
 */
export function idbBackend(
  name: string,
  version: number,
  dbName: string,
  seeds: readonly KVSeed<unknown>[] | undefined,
  memory: Memory,
): Backend {
  const stores = declared.get(dbName) ?? new Map<string, readonly KVSeed<unknown>[] | undefined>();
  declared.set(dbName, stores.set(name, seeds));

  const open = (): IdbConnection => {
    if (!version || version >>> 0 !== version)
      throw new KvError("KV_INVALID_VALUE", "the version is a whole number from 1 to 4294967295");
    const factory = globalThis.indexedDB as IDBFactory | undefined;
    if (!factory)
      throw new KvError(
        "KV_INVALID_CLIENT",
        "IndexedDB is not available: what is changed is kept in memory alone",
      );
    return idbConnection(factory, dbName, name, {
      version,
      make,
      next(db) {
        const own = db.version % STEP;
        return own < version
          ? db.version - own + version
          : isMissing(db)
            ? db.version + STEP
            : undefined;
      },
    });
  };
  let connection: IdbConnection | undefined;

  async function run<T>(action: string, task: Task<T>, mode?: IDBTransactionMode): Promise<T> {
    try {
      return await (connection ??= open()).run(task, mode);
    } catch (error) {
      throw toKvError(error, "INDEXEDDB", action);
    }
  }

  const shared: Shared = {
    channel: `anykv:${dbName}/${name}`,
    interval: 0,
    load: () =>
      run("opening", async (rows) => {
        const found = rows.transaction.db.version % STEP;
        // Asked at the first opening alone: a page that is open goes on when another one brings a
        // newer version.
        if (found > version) {
          throw new KvError(
            "KV_INVALID_CLIENT",
            `the database ${JSON.stringify(dbName)} has the version ${found}, which is newer ` +
              `than ${version}: reload the page for the program that made it`,
          );
        }
        const [keys, values] = await Promise.all([
          ended(rows.getAllKeys()),
          ended(rows.getAll() as IDBRequest<unknown[]>),
        ]);
        return keys.map((key, i) => [key as string, ownValue(values[i])] as const);
      }),
    read: (keys) =>
      run("reading", (rows) =>
        Promise.all(
          keys.map(async (key) => ownValue(await ended(rows.get(key) as IDBRequest<unknown>))),
        ),
      ),
    write: (changes, sent) =>
      run(
        "writing",
        async (rows) => {
          const found: RowChange[] = [];
          for (const change of changes) if (!change[2]) put(rows, change);
          await Promise.all(
            changes.map(async (change) => {
              if (!change[2]) return;
              const value = await ended(rows.get(change[0]) as IDBRequest<unknown>);
              if (value === undefined) put(rows, change);
              else found.push([change[0], ownValue(value)]);
            }),
          );
          // Not left to the browser, which would wait for this page: it may be going away.
          rows.transaction.commit();
          sent();
          return found;
        },
        "readwrite",
      ),
    takeOver: (changes) =>
      run(
        "writing",
        (rows) =>
          Promise.all(
            changes.map(async ([key, value, before]) => {
              const found = await ended(rows.get(key) as IDBRequest<unknown>);
              if (isEqual(ownValue(found), before)) put(rows, [key, value]);
            }),
          ),
        "readwrite",
      ),
    close: async () => connection?.close(),
  };
  return live(shared, memory);
}
