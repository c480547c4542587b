// The clients that run inside Node, for npm start.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import kv, { type Client as KvClient, type CustomClient } from "anykv";
import { type Client, tour } from "./tour.ts";

const folder: string = mkdtempSync(path.join(tmpdir(), "anykv-start-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
// The file of localStorage is named by a relative path.
process.chdir(folder);

function customClient(): CustomClient {
  const data = new Map<string, unknown>();
  return {
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    del: (key: string) => void data.delete(key),
    *iterate(prefix: string) {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

// As most programs set it up: without these, SQLite syncs the disk for each write.
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";

function nodeSqlite(): DatabaseSync {
  const db = new DatabaseSync(at("node.db"));
  db.exec(PRAGMAS);
  return db;
}

async function betterSqlite(): Promise<KvClient> {
  const { default: Database } = await import("better-sqlite3");
  return new Database(at("better.db")).exec(PRAGMAS);
}

const open: { readonly [name: string]: () => KvClient | Promise<KvClient> } = {
  "a Map": () => new Map(),
  "a custom client": customClient,
  "localStorage (Node)": () => localStorage,
  "a JSON file": () => pathToFileURL(at("data.json")),
  "a folder": () => pathToFileURL(at("data/")),
  "node:sqlite": nodeSqlite,
  "better-sqlite3": betterSqlite,
  Level: async () => new (await import("level")).Level(at("level")),
  "lru-cache": async () => new (await import("lru-cache")).LRUCache({ max: 10_000 }),
  "Keyv (a Map)": async () => new (await import("keyv")).Keyv(),
  "unstorage (memory)": async () => (await import("unstorage")).createStorage(),
  "Deno KV": async () => (await import("@deno/kv")).openKv(at("deno.db")),
  PGlite: async () => (await import("@electric-sql/pglite")).PGlite.create(at("pglite")),
};

export const embedded: readonly Client[] = Object.entries(open).map(([name, openClient]) => ({
  name,
  async tour(packages) {
    const store = kv(openClient());
    try {
      return await tour(store, packages);
    } finally {
      await store.close();
    }
  },
}));
