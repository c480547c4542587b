// Node, Bun and Deno: what they have beside memory. Prints one line of JSON.
import { rmSync } from "node:fs";
import process from "node:process";
import kv from "anykv";
import { createClient } from "redis";
import { smoke } from "./smoke.mjs";

let count = 0;
const fresh = (ending) => new URL(`./data/${++count}${ending}`, import.meta.url);
const Database = process.versions.bun ? await import("bun:sqlite").then(({ Database }) => Database) : await import("node:sqlite").then(({ DatabaseSync }) => DatabaseSync);
const removed = { cleanup: () => rmSync(new URL("./data/", import.meta.url), { recursive: true, force: true }) };


const subjects = {
  "a JSON file": { open: () => kv(fresh(".json")), ...removed },
  "a folder": { open: () => kv(fresh("/")), ...removed },
  "built-in SQLite": { open: () => kv(new Database(":memory:")) },
  Redis: {
    // It drops records by its own clock.
    clock: "real",
    open: async () => {
      const client = createClient({ url: process.env.REDIS_URL });
      const store = kv(client);
      await store.clear();
      return store;
    },
  },
};
if (globalThis.localStorage !== undefined) {
  subjects["Web Storage"] = {
    open: () => {
      localStorage.clear();
      return kv(localStorage);
    },
  };
}
console.log(JSON.stringify(await smoke(subjects)));
