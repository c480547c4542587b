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
  /** Waits for pending work, then closes. */
  close(): Promise<void>;
}

/** The object stores that a database should have. */
export interface IdbSchema {
  /** The version to open it at. Without one: that which it has. */
  readonly version?: number;
  /** The version that adds the missing object stores; `undefined` when none is missing. */
  next(db: IDBDatabase): number | undefined;
  /** Adds the missing object stores. */
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

/** The common part of requests and transactions. */
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

/** A database, and the factory that opens it: another one after the browser lost its server. */
interface Target {
  factory: IDBFactory;
  readonly database: string;
  readonly schema: IdbSchema;
}

/**
 * Opens a database at a version, or at the one that it has. Adds the missing parts of the schema if
 * the version is new.
 */
function open({ factory, database, schema }: Target, version?: number): Promise<IDBDatabase> {
  const request = factory.open(database, version);
  request.onupgradeneeded = () => schema.make(request.result, request.transaction!);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      // A database that opens too late is closed.
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

/** A connection to the database with the whole schema. Missing parts are added by a new version. */
async function connect(
  target: Target,
  version: number | undefined,
  tries = 100,
): Promise<IDBDatabase> {
  try {
    const db = await open(target, version);
    // Another connection that changes or deletes the database must not wait for this one: the next
    // operation opens it again.
    db.onversionchange = () => db.close();
    version = target.schema.next(db);
    if (version === undefined) return db;
    db.close();
  } catch (error) {
    // Another connection took this version first, or deletes the database right now: try again from
    // its new state.
    const isTaken = /Version|Abort/.test((error as Error).name);
    const isLost = isServerLost(error);
    if (tries === 0 || !(isTaken || isLost)) throw error;
    if (isTaken) version = undefined;
    if (isLost) target.factory = replaceFactory(target.factory);
  }
  return connect(target, version, tries - 1);
}

/** Aborts a transaction. Returns the error for its failure. */
function abort(transaction: IDBTransaction | undefined, cause: unknown): unknown {
  try {
    transaction?.abort();
  } catch {
    // It has ended already.
  }
  return /too large/.test((cause as Error).message)
    ? new KvError(
        "KV_TOO_LARGE",
        "the value is too large for the browser to move: nothing was written",
        { cause },
      )
    : asQuota(cause);
}

/** Connects with the first task. An error of the database itself is thrown as it is. */
export function idbConnection(
  factory: IDBFactory,
  database: string,
  store: string,
  schema: IdbSchema = indexed(store),
): IdbConnection {
  const target: Target = { factory, database, schema };
  let opening: Promise<IDBDatabase> | undefined;
  let idle: Promise<unknown> | undefined;

  async function perform<T>(task: Task<T>, mode: IDBTransactionMode, isLast = false): Promise<T> {
    const used = (opening ??= connect(target, schema.version).catch((error) => {
      opening = undefined;
      throw error;
    }));
    const db = await used;
    let transaction: IDBTransaction | undefined;
    try {
      // Relaxed is the default of browsers. Writes survive the end of the browser; a power cut may
      // cost the last ones.
      transaction = db.transaction(store, mode, { durability: "relaxed" });
      const value = await task(transaction.objectStore(store));
      if (mode === "readwrite") await ended(transaction);
      return value;
    } catch (cause) {
      const error = abort(transaction, cause);
      if (isLast || error instanceof KvError) throw error;
    }
    // The connection is dead: this library or the browser closed it. The aborted transaction wrote
    // nothing.
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
