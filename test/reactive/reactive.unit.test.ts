import "fake-indexeddb/auto";
import { vi } from "vitest";
import { deleteDatabase, requested } from "../support/browser-clients.ts";
import { reactiveSuite } from "../suites/reactive-suite.ts";

reactiveSuite({
  name: "IndexedDB",
  async program() {
    // A module of its own is all that another tab would have, too.
    vi.resetModules();
    const { createKVStore } = await import("../../src/reactive/create.ts");
    return (name, options = {}) => createKVStore(name, options);
  },
  async rows(name) {
    const db = await requested(indexedDB.open(`${name}.kv`));
    try {
      if (!db.objectStoreNames.contains(name)) return new Map();
      const rows = db.transaction(name).objectStore(name);
      const [keys, values] = await Promise.all([
        requested(rows.getAllKeys()),
        requested(rows.getAll()),
      ]);
      return new Map(keys.map((key, i) => [key as string, values[i] as unknown]));
    } finally {
      db.close();
    }
  },
  async fill(name, values) {
    const request = indexedDB.open(`${name}.kv`, 1);
    request.onupgradeneeded = () => {
      const rows = request.result.createObjectStore(name);
      for (const [key, value] of Object.entries(values)) rows.put(value, key);
    };
    (await requested(request)).close();
  },
  transactions() {
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction");
    spy.mockClear();
    return () => spy.mock.calls.filter(([, mode]) => mode === "readwrite").length;
  },
  async empty() {
    vi.restoreAllMocks();
    for (const { name } of await indexedDB.databases()) await deleteDatabase(name!);
  },
});
