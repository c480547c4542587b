import localforage from "localforage";

/** A kind of browser client, and what somebody else could do to its data. */
export interface BrowserSubject {
  readonly name: string;
  /** A client without any items. */
  create(): Promise<unknown>;
  /** Removes what `create` made. */
  cleanup(): Promise<void>;
  /** Puts an item of somebody else under a plain key. */
  putForeign(key: string): Promise<void>;
  hasForeign(key: string): Promise<boolean>;
  /** Damages the value in the record of ours under a plain key, so that its head stays whole. */
  damage(key: string): Promise<void>;
}

export function requested<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** One request in a transaction of a connection of its own. */
export async function inStore<T>(
  database: string,
  store: string,
  mode: "readonly" | "readwrite",
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const db = await requested(indexedDB.open(database));
  try {
    return await requested(use(db.transaction(store, mode).objectStore(store)));
  } finally {
    db.close();
  }
}

export async function deleteDatabase(name: string): Promise<void> {
  await requested(indexedDB.deleteDatabase(name) as IDBRequest<unknown>);
}

function webStorage(name: "localStorage" | "sessionStorage"): BrowserSubject {
  const area = (): Storage => globalThis[name];
  return {
    name: `STORAGE on ${name}`,
    create: async () => {
      area().clear();
      return area();
    },
    cleanup: async () => area().clear(),
    putForeign: async (key) => area().setItem(key, '{"value":"theirs"}'),
    hasForeign: async (key) => area().getItem(key) === '{"value":"theirs"}',
    damage: async (key) => area().setItem(key, area().getItem(key)!.slice(0, -3)),
  };
}

/** All cookies that the page sees: name → value. */
export const cookies = (): Map<string, string> =>
  new Map(
    document.cookie
      .split("; ")
      .filter(Boolean)
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );

function clearCookies(): void {
  for (const name of cookies().keys()) document.cookie = `${name}=; path=/; max-age=0`;
}

const cookie: BrowserSubject = {
  name: "COOKIE",
  create: async () => {
    clearCookies();
    return "cookie";
  },
  cleanup: async () => clearCookies(),
  putForeign: async (key) => void (document.cookie = `${encodeURIComponent(key)}=100%; path=/`),
  hasForeign: async (key) => cookies().get(encodeURIComponent(key)) === "100%",
  damage: async (key) => {
    const name = encodeURIComponent(key);
    document.cookie = `${name}=${cookies().get(name)!.slice(0, -3)}; path=/`;
  },
};

let counter = 0;

function forage(driver: "INDEXEDDB" | "LOCALSTORAGE"): BrowserSubject {
  let instance!: LocalForage;
  return {
    name: `FORAGE on ${driver}`,
    create: async () => {
      instance = localforage.createInstance({
        name: `anykv-forage-${++counter}`,
        driver: localforage[driver],
      });
      await instance.clear();
      return instance;
    },
    cleanup: () => instance.dropInstance(),
    putForeign: async (key) => void (await instance.setItem(key, { value: "theirs" })),
    hasForeign: async (key) => (await instance.getItem<{ value: string }>(key))?.value === "theirs",
    damage: async (key) =>
      void (await instance.setItem(key, (await instance.getItem<string>(key))!.slice(0, -3))),
  };
}

const idb: BrowserSubject = {
  name: "INDEXEDDB",
  create: async () => {
    await deleteDatabase("anykv");
    return indexedDB;
  },
  cleanup: () => deleteDatabase("anykv"),
  putForeign: async (key) =>
    void (await inStore("anykv", "kv", "readwrite", (store) =>
      store.put({ value: "theirs" }, key),
    )),
  hasForeign: async (key) =>
    (await inStore("anykv", "kv", "readonly", (store) => store.get(key)))?.value === "theirs",
  damage: async (key) => {
    const item = await inStore("anykv", "kv", "readonly", (store) => store.get(key));
    await inStore("anykv", "kv", "readwrite", (store) =>
      store.put({ ...item, text: item.text.slice(0, -3) }, key),
    );
  },
};

export const storages: readonly BrowserSubject[] = [
  webStorage("localStorage"),
  webStorage("sessionStorage"),
];
export const cookieJar: BrowserSubject = cookie;
export const forages: readonly BrowserSubject[] = [forage("INDEXEDDB"), forage("LOCALSTORAGE")];
export const database: BrowserSubject = idb;

/** All of them, for suites that run on every client of a browser. */
export const subjects: readonly BrowserSubject[] = [...storages, cookieJar, ...forages, database];
