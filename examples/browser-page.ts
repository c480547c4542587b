import kv, { type Client } from "anykv";
import localForage from "localforage";
import { type Packages, type Report, tour } from "./tour.ts";

const clients: Record<string, () => Client> = {
  "localStorage (Chromium)": () => localStorage,
  "cookies (Chromium)": () => "cookie",
  "localForage (Chromium)": () => localForage,
  "IndexedDB (Chromium)": () => indexedDB,
};

/** Called from outside of the page. */
Object.assign(globalThis, {
  run: (name: string, packages: Packages): Promise<Report> => tour(kv(clients[name]!()), packages),
});
