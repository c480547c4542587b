// The clients whose costs `growth.ts` follows, and what their libraries do by themselves.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { Etcd3 } from "etcd3";
import { Redis } from "ioredis";
import { Level } from "level";
import { LRUCache } from "lru-cache";
import pg from "pg";
import { createClient } from "redis";
import kv, { type Store } from "anykv";
import { redis } from "anykv/clients/redis";
import { etcdServer } from "../test/support/etcd-server.ts";
import { postgresServer } from "../test/support/postgres-server.ts";
import { redisServer } from "../test/support/redis-server.ts";

/** A store over a client that is empty, and the client's own statements. */
export interface Subject {
  readonly store: Store;
  /** All keys, and a page of 100 with its values, as the library gives them. */
  readonly rawKeys?: () => Promise<unknown>;
  readonly rawPage?: () => Promise<unknown>;
  /** How many milliseconds after the last write pages are read from what was kept. */
  readonly settling?: number;
  close(): Promise<void>;
}

const PATIENT = { timeout: "10m" };

/** What has the shape of `localStorage`, without its quota. */
function storageLike(): Storage {
  const items = new Map<string, string>();
  let names: string[] | null = null;
  return {
    get length() {
      return items.size;
    },
    key: (index) => (names ??= [...items.keys()])[index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem(key, value) {
      if (!items.has(key)) names = null;
      items.set(key, value);
    },
    removeItem(key) {
      if (items.delete(key)) names = null;
    },
    clear: () => items.clear(),
  } as Storage;
}

const inFolder = (open: (folder: string) => Omit<Subject, "close">): Subject => {
  const folder = mkdtempSync(join(tmpdir(), "anykv-growth-"));
  const subject = open(folder);
  return {
    ...subject,
    async close() {
      await subject.store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const inProcess = (client: object): Subject => {
  const store = kv(client as Map<string, unknown>, PATIENT);
  return { store, close: () => store.close() };
};

async function overRedis(isOrdered: boolean): Promise<Subject> {
  const server = await redisServer();
  await server.start();
  const client = createClient({ url: server.url });
  const raw = new Redis(server.port, "127.0.0.1");
  const store = kv(redis(client, { ordered: isOrdered }), PATIENT);
  return {
    store,
    async rawKeys() {
      for (let cursor = "0"; ;) {
        [cursor] = await raw.scan(cursor, "COUNT", 1000);
        if (cursor === "0") return;
      }
    },
    async close() {
      await store.close();
      raw.disconnect();
      await server.remove();
    },
  };
}

async function overPostgres(): Promise<Subject> {
  const server = await postgresServer();
  await server.start();
  const pool = new pg.Pool({ connectionString: server.url });
  const store = kv(pool, PATIENT);
  return {
    store,
    rawKeys: async () => (await pool.query("SELECT key FROM kv")).rows,
    rawPage: async () => (await pool.query("SELECT * FROM kv ORDER BY key LIMIT 100")).rows,
    async close() {
      await store.close();
      await server.remove();
    },
  };
}

async function overEtcd(): Promise<Subject> {
  const server = await etcdServer();
  await server.start();
  const store = kv(new Etcd3({ hosts: server.url }), PATIENT);
  return {
    store,
    async close() {
      await store.close();
      await server.remove();
    },
  };
}

function overSqlite(folder: string): Omit<Subject, "close"> {
  const db = new DatabaseSync(join(folder, "db.sqlite"));
  db.exec("PRAGMA journal_mode = WAL");
  const page = "SELECT * FROM kv ORDER BY key LIMIT 100";
  return {
    store: kv(db, PATIENT),
    rawKeys: async () => db.prepare("SELECT key FROM kv").all(),
    rawPage: async () =>
      db
        .prepare(page)
        .all()
        .map(({ value }) => JSON.parse(String(value)) as unknown),
  };
}

function overLevel(folder: string): Omit<Subject, "close"> {
  const db = new Level(join(folder, "level"));
  return { store: kv(db, PATIENT), rawKeys: () => db.keys().all() };
}

/** The name of a client. */
export type SubjectName =
  | "memory"
  | "lru"
  | "Web Storage"
  | "SQLite"
  | "Level"
  | "folder"
  | "file"
  | "Redis"
  | "Redis, ordered"
  | "Postgres"
  | "etcd";

/** Opens each kind of client. */
export const SUBJECTS: { readonly [name in SubjectName]: () => Promise<Subject> } = {
  memory: async () => inProcess(new Map()),
  lru: async () => inProcess(new LRUCache({ max: 2_000_000 })),
  "Web Storage": async () => inProcess(storageLike()),
  SQLite: async () => inFolder(overSqlite),
  Level: async () => inFolder(overLevel),
  folder: async () =>
    inFolder((folder) => ({ store: kv(pathToFileURL(`${folder}/f/`), PATIENT), settling: 2500 })),
  file: async () =>
    inFolder((folder) => ({ store: kv(pathToFileURL(join(folder, "f.json")), PATIENT) })),
  Redis: () => overRedis(false),
  "Redis, ordered": () => overRedis(true),
  Postgres: overPostgres,
  etcd: overEtcd,
};
