/** A task inside one transaction: it may wait for requests on the object store, for nothing else. */
export type Task<T> = (store: IDBObjectStore) => Promise<T>;

/** One object store of one database, over a connection that is made again whenever it was lost. */
export interface IdbConnection {
  /** Runs a task in a transaction of its own: once more when the connection turns out to be dead. */
  run<T>(mode: "readonly" | "readwrite", task: Task<T>): Promise<T>;
  /** Waits for what was begun, then closes. */
  close(): Promise<void>;
}

/** The index of the deadlines, in object stores that this library made. */
export const INDEX = "anykv";

/** How long an opening waits for connections that are in its way, in milliseconds. */
const PATIENCE = 10_000;

/** The result of a request as a promise. */
export function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Opens a database at a version, or at the one that it has; makes the object store on the way where it can. */
function open(factory: IDBFactory, database: string, store: string, version?: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(database, version);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error(`the database ${JSON.stringify(database)} did not open within ${PATIENCE / 1000} s: close the other tabs that use it`));
    }, PATIENCE);
    request.onupgradeneeded = () => {
      if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store).createIndex(INDEX, ["kv", "expires"]);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error);
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      const db = request.result;
      // Whoever wants to change or delete the database must not wait for us: the next operation opens it again.
      db.onversionchange = () => db.close();
      if (late) db.close();
      else resolve(db);
    };
  });
}

/** A connection to a database that has the object store: it is added, with the next version, where it is missing. */
async function connect(factory: IDBFactory, database: string, store: string): Promise<IDBDatabase> {
  for (let version: number | undefined, tries = 0; ; tries++) {
    try {
      const db = await open(factory, database, store, version);
      if (db.objectStoreNames.contains(store)) return db;
      db.close();
      version = db.version + 1;
    } catch (error) {
      // Somebody else took this version first, or deletes the database right now: once more from what it is then.
      if (!["VersionError", "AbortError"].includes((error as DOMException).name) || tries === 100) throw error;
      version = undefined;
    }
  }
}

async function attempt<T>(db: IDBDatabase, store: string, mode: "readonly" | "readwrite", task: Task<T>): Promise<T> {
  // Relaxed, the default of browsers: survives the end of the browser, while a power cut may cost the last writes.
  const transaction = db.transaction(store, mode, { durability: "relaxed" });
  const ended =
    mode === "readonly"
      ? undefined
      : new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error ?? new DOMException("The transaction was aborted", "AbortError"));
        });
  try {
    const [value] = await Promise.all([task(transaction.objectStore(store)), ended]);
    return value;
  } catch (error) {
    try {
      transaction.abort();
    } catch {
      // It has ended by itself.
    }
    throw error;
  }
}

// A connection that was closed, by us or by the browser, fails like this. Nothing of an aborted transaction was written.
const DEAD = ["InvalidStateError", "AbortError", "UnknownError"];

/** Connects with the first task. An error of the database itself is thrown as it is. */
export function idbConnection(factory: IDBFactory, database: string, store: string): IdbConnection {
  let opening: Promise<IDBDatabase> | null = null;
  const pending = new Set<Promise<unknown>>();

  const forget = (used: Promise<IDBDatabase>): void => {
    if (opening === used) opening = null;
    used.then(
      (db) => db.close(),
      () => {},
    );
  };
  async function perform<T>(mode: "readonly" | "readwrite", task: Task<T>): Promise<T> {
    for (let retried = false; ; retried = true) {
      const used = (opening ??= connect(factory, database, store));
      const db = await used.catch((error) => {
        forget(used);
        throw error;
      });
      try {
        return await attempt(db, store, mode, task);
      } catch (error) {
        if (!DEAD.includes((error as Error).name)) throw error;
        forget(used);
        if (retried) throw error;
      }
    }
  }

  return {
    run(mode, task) {
      const running = perform(mode, task).finally(() => pending.delete(running));
      pending.add(running);
      return running;
    },
    async close() {
      await Promise.allSettled(pending);
      if (opening !== null) forget(opening);
    },
  };
}
