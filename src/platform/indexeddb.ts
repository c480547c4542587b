import { KvError } from "../errors.ts";
import { isServerLost, replaceFactory } from "./lost-indexeddb.ts";
import { asQuota } from "./quota.ts";

/**
 * A task inside one transaction: it may wait for requests on the object store, for nothing else.
 */
export type Task<T> = (store: IDBObjectStore) => Promise<T>;

/** One object store of one database, over a connection that is made again whenever it was lost. */
export interface IdbConnection {
  /**
   * Runs a task in a transaction of its own: once more when the connection turns out to be dead.
   */
  run<T>(task: Task<T>, mode?: IDBTransactionMode): Promise<T>;
  /** Waits for what was begun, then closes. */
  close(): Promise<void>;
}

/** What a database should have. */
export interface IdbSchema {
  /** The version to open it at. Without one: that which it has. */
  readonly version?: number;
  /** The version at which what is missing can be added; `undefined` when nothing is. */
  next(db: IDBDatabase): number | undefined;
  /** Adds what is missing. */
  make(db: IDBDatabase, transaction: IDBTransaction): void;
}

/** The index of the deadlines, in object stores that this library made. */
export const INDEX = "anykv";

/** An object store with an index of the deadlines. */
const indexed = (store: string): IdbSchema => ({
  next: (db) => (db.objectStoreNames.contains(store) ? undefined : db.version + 1),
  make(db) {
    if (!db.objectStoreNames.contains(store))
      db.createObjectStore(store).createIndex(INDEX, ["kv", "expires"]);
  },
});

/** How long an opening waits for connections that are in its way, in milliseconds. */
const PATIENCE = 4500;

/** What requests and transactions have in common. */
interface Work<T> extends EventTarget {
  readonly result?: T;
  readonly error: DOMException | null;
  onsuccess?: Handler;
  oncomplete?: Handler;
  onerror: Handler;
  onabort?: Handler;
}
type Handler = ((this: never, event: Event) => unknown) | null;

/** The result of a request, or the end of a transaction, as a promise. */
export function ended<T>(work: Work<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    work.onsuccess = work.oncomplete = () => resolve(work.result as T);
    work.onerror = work.onabort = ({ target }) => {
      // Errors of requests pass by their transaction, which then says itself why it was aborted.
      // Not every browser does.
      if (target === work) reject(work.error ?? new Error("the transaction was aborted"));
    };
  });
}

/** Connects with the first task. An error of the database itself is thrown as it is. */
export function idbConnection(
  factory: IDBFactory,
  database: string,
  store: string,
  schema: IdbSchema = indexed(store),
): IdbConnection {
  let opening: Promise<IDBDatabase> | undefined;
  let idle: Promise<unknown> | undefined;

  /**
   * Opens the database at a version, or at the one that it has; adds what is missing on the way
   * where it can.
   */
  function open(version?: number): Promise<IDBDatabase> {
    const request = factory.open(database, version);
    request.onupgradeneeded = () => schema.make(request.result, request.transaction!);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // What is opened too late is not kept.
        request.onsuccess = () => request.result.close();
        reject(
          new KvError(
            "KV_CONNECTION",
            `the database ${JSON.stringify(database)} did not open within 10 s: close the other ` +
              "tabs that use it",
          ),
        );
      }, PATIENCE);
      ended(request)
        .finally(() => clearTimeout(timer))
        .then(resolve, reject);
    });
  }

  /**
   * A connection to the database with all that it should have: what is missing is added, with
   * another version.
   */
  async function connect(version: number | undefined, tries = 100): Promise<IDBDatabase> {
    try {
      const db = await open(version);
      // Whoever wants to change or delete the database must not wait for us: the next operation
      // opens it again.
      db.onversionchange = () => db.close();
      version = schema.next(db);
      if (version === undefined) return db;
      db.close();
    } catch (error) {
      // Somebody else took this version first, or deletes the database right now: once more from
      // what it is then.
      const isTaken = /Version|Abort/.test((error as Error).name);
      const isLost = isServerLost(error);
      if (tries === 0 || !(isTaken || isLost)) throw error;
      if (isTaken) version = undefined;
      if (isLost) factory = replaceFactory(factory);
    }
    return connect(version, tries - 1);
  }

  const connected = (): Promise<IDBDatabase> =>
    (opening ??= connect(schema.version).catch((error) => {
      opening = undefined;
      throw error;
    }));

  async function perform<T>(task: Task<T>, mode: IDBTransactionMode, isLast = false): Promise<T> {
    const used = connected();
    const db = await used;
    let transaction: IDBTransaction | undefined;
    try {
      // Relaxed, the default of browsers: survives the end of the browser, while a power cut may
      // cost the last writes.
      transaction = db.transaction(store, mode, { durability: "relaxed" });
      const value = await task(transaction.objectStore(store));
      if (mode === "readwrite") await ended(transaction);
      return value;
    } catch (cause) {
      try {
        transaction?.abort();
      } catch {
        // It has ended by itself.
      }
      if (/too large/.test((cause as Error).message))
        throw new KvError(
          "KV_TOO_LARGE",
          "the value is too large for the browser to move: nothing was written",
          { cause },
        );
      const error = asQuota(cause);
      if (isLast || error instanceof KvError) throw error;
    }
    // The connection is dead: closed by us, or by the browser. Nothing of an aborted transaction
    // was written.
    db.close();
    if (opening === used) opening = undefined;
    return perform(task, mode, true);
  }

  return {
    run(task, mode = "readonly") {
      const before = idle;
      const running = perform(task, mode);
      idle = running.then(
        () => before,
        () => before,
      );
      return running;
    },
    async close() {
      await idle;
      (await opening)?.close();
    },
  };
}
