import { ended, type IdbConnection, idbConnection, type Task } from "../platform/indexeddb.ts";
import { ownValue } from "../platform/lost-indexeddb.ts";
import { KvError } from "../errors.ts";
import { toKvError } from "../store/failure.ts";
import type { Backend, Memory, RowChange } from "./backend.ts";
import { declare, makeStores, nextVersion, ownVersion } from "./idb-versions.ts";
import { isEqual } from "./is-equal.ts";
import { Live } from "./live.ts";
import type { News, Shared } from "./shared.ts";
import type { KVSeed } from "./types.ts";

function put(rows: IDBObjectStore, [key, value]: RowChange): void {
  try {
    if (value === undefined) rows.delete(key);
    else rows.put(value, key);
  } catch (cause) {
    // After another error the connection is opened again, for a second attempt. A value that cannot
    // be cloned fails at once.
    if ((cause as Error).name !== "DataCloneError") throw cause;
    throw new KvError(
      "KV_INVALID_VALUE",
      `the value under ${JSON.stringify(key)} holds something that cannot be stored, such as a ` +
        "function, or nests too deep",
      { key, cause },
    );
  }
}

const get = async (rows: IDBObjectStore, key: string): Promise<unknown> =>
  ownValue(await ended(rows.get(key) as IDBRequest<unknown>));

/**
 * Rows in an object store: the values themselves, under their keys. The transactions of the
 * database keep the order of writes, across all tabs.
 */
class IdbRows implements Shared {
  readonly channel: string;
  readonly interval = 0;
  readonly #dbName: string;
  readonly #name: string;
  readonly #version: number;
  #connection: IdbConnection | undefined;

  constructor(dbName: string, name: string, version: number) {
    this.channel = `anykv:${dbName}/${name}`;
    this.#dbName = dbName;
    this.#name = name;
    this.#version = version;
  }

  #open(): IdbConnection {
    const version = this.#version;
    if (!version || version >>> 0 !== version)
      throw new KvError("KV_INVALID_VALUE", "the version is a whole number from 1 to 4294967295");
    const factory = globalThis.indexedDB as IDBFactory | undefined;
    if (!factory)
      throw new KvError(
        "KV_INVALID_CLIENT",
        "IndexedDB is not available: what is changed is kept in memory alone",
      );
    return idbConnection(factory, this.#dbName, this.#name, {
      version,
      make: makeStores,
      next: (db) => nextVersion(db, version),
    });
  }

  async #run<T>(action: string, task: Task<T>, mode?: IDBTransactionMode): Promise<T> {
    try {
      return await (this.#connection ??= this.#open()).run(task, mode);
    } catch (error) {
      throw toKvError(error, "INDEXEDDB", action);
    }
  }

  load(): Promise<RowChange[]> {
    return this.#run("opening", async (rows) => {
      this.#checkVersion(ownVersion(rows.transaction.db));
      const [keys, values] = await Promise.all([
        ended(rows.getAllKeys()),
        ended(rows.getAll() as IDBRequest<unknown[]>),
      ]);
      return keys.map((key, i) => [key as string, ownValue(values[i])] as const);
    });
  }

  /** Only the first opening checks: an open page goes on when another brings a newer version. */
  #checkVersion(found: number): void {
    if (found <= this.#version) return;
    throw new KvError(
      "KV_INVALID_CLIENT",
      `the database ${JSON.stringify(this.#dbName)} has the version ${found}, which is newer ` +
        `than ${this.#version}: reload the page for the program that made it`,
    );
  }

  read(keys: readonly string[]): Promise<unknown[]> {
    return this.#run("reading", (rows) => Promise.all(keys.map((key) => get(rows, key))));
  }

  write(changes: readonly RowChange[], sent: () => void): Promise<readonly RowChange[]> {
    const task = async (rows: IDBObjectStore): Promise<RowChange[]> => {
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
      // The browser's own commit would wait for this page, which may be about to end.
      rows.transaction.commit();
      sent();
      return found;
    };
    return this.#run("writing", task, "readwrite");
  }

  takeOver(changes: readonly News[]): Promise<unknown> {
    const task = (rows: IDBObjectStore): Promise<unknown> =>
      Promise.all(
        changes.map(async ([key, value, before]) => {
          if (isEqual(await get(rows, key), before)) put(rows, [key, value]);
        }),
      );
    return this.#run("writing", task, "readwrite");
  }

  async close(): Promise<void> {
    this.#connection?.close();
  }
}

/** Rows in an object store of an IndexedDB database. */
export function idbBackend(
  name: string,
  version: number,
  dbName: string,
  seeds: readonly KVSeed<unknown>[] | undefined,
  memory: Memory,
): Backend {
  declare(dbName, name, seeds);
  return new Live(new IdbRows(dbName, name, version), memory);
}
