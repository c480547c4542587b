import kv, { type Client, type Json } from "anykv";
import localForage from "localforage";
import { type Report, tour } from "./tour.ts";

const clients: Record<string, () => unknown> = {
  "localStorage (Chromium)": () => localStorage,
  "cookies (Chromium)": () => "cookie",
  "localForage (Chromium)": () => localForage,
  "IndexedDB (Chromium)": () => indexedDB,
};

/** Called from outside of the page: the names first, then one client after the other. */
Object.assign(globalThis, {
  clients: Object.keys(clients),
  run: async (name: string, packages: [string, Json][]): Promise<Report & { bytes: number }> => {
    const report = await tour(kv(clients[name]!() as Client), packages);
    return { ...report, bytes: (await navigator.storage.estimate()).usage ?? 0 };
  },
});
