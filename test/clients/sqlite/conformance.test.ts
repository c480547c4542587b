import { DatabaseSync } from "node:sqlite";
import Database from "better-sqlite3";
import { sqlite } from "../../../src/clients/sqlite/index.ts";
import kv from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { PATIENT } from "../../support/patient.ts";

let folder = temporaryFolder();
const fresh = (): string => {
  folder.remove();
  folder = temporaryFolder();
  return `${folder.path}/data.db`;
};

certify("SQLITE by node:sqlite", {
  open: () => kv(new DatabaseSync(fresh()), PATIENT),
  reopen: () => kv(new DatabaseSync(`${folder.path}/data.db`), PATIENT),
  cleanup: () => folder.remove(),
});

let db: InstanceType<typeof Database>;

certify(
  "SQLITE by better-sqlite3, with a table of its own",
  {
    open: () => kv(sqlite((db = new Database(":memory:")), { table: 'my "table"' })),
    foreign: {
      put: (_store, key) =>
        void db
          .prepare('INSERT OR REPLACE INTO "my ""table""" (key, value, version) VALUES (?, ?, ?)')
          .run(key, "x", "theirs"),
      has: (_store, key) =>
        db.prepare('SELECT 1 FROM "my ""table""" WHERE key = ?').get(key) !== undefined,
    },
  },
  { wrappers: true },
);
