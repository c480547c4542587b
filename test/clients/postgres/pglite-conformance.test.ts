import { PGlite } from "@electric-sql/pglite";
import { afterAll } from "vitest";
import { postgres } from "../../../src/clients/postgres/index.ts";
import kv, { type Store } from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { PATIENT } from "../../support/patient.ts";

// One database for all: it takes a second to begin.
const db = new PGlite();
afterAll(() => db.close());

/** A store that leaves the database open when it is closed. */
const open = (): Store =>
  kv(
    postgres(
      new Proxy(db, {
        get: (target, name) =>
          name === "close" ? async () => {} : bound(target[name as keyof PGlite], target),
      }),
      { table: "records" },
    ),
    PATIENT,
  );
const bound = (member: unknown, target: object): unknown =>
  typeof member === "function" ? (member.bind(target) as unknown) : member;

certify("POSTGRES by PGlite", {
  async open() {
    await db.exec("DROP TABLE IF EXISTS records");
    return open();
  },
  reopen: open,
  foreign: {
    put: (_store, key) =>
      db.query(
        "INSERT INTO records (key, value, version) VALUES ($1, 'x', 'theirs') ON " +
          "CONFLICT (key) DO UPDATE SET version = 'theirs'",
        [key],
      ),
    has: async (_store, key) =>
      (await db.query("SELECT 1 FROM records WHERE key = $1", [key])).rows.length > 0,
  },
  runs: 5,
});
