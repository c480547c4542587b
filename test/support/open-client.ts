import { pathToFileURL } from "node:url";

/** The clients that keep data on disk. */
export const DISK_CLIENTS = ["FILE", "FOLDER", "LEVEL", "SQLITE"] as const;
export type DiskClient = (typeof DISK_CLIENTS)[number];

// The package has no types of its own.
interface BetterSqlite {
  pragma(sql: string): unknown;
}

/** A client of a kind, with its data in this folder. */
export async function openClient(kind: DiskClient, folder: string): Promise<unknown> {
  switch (kind) {
    case "FILE":
      return pathToFileURL(`${folder}/data.json`);
    case "FOLDER":
      return pathToFileURL(`${folder}/data/`);
    case "LEVEL": {
      const { Level } = await import("level");
      return new Level(`${folder}/level`);
    }
    case "SQLITE": {
      const { default: Database } = (await import("better-sqlite3" as string)) as {
        default: new (path: string) => BetterSqlite;
      };
      const db = new Database(`${folder}/data.db`);
      db.pragma("journal_mode = WAL");
      db.pragma("busy_timeout = 5000");
      return db;
    }
  }
}
