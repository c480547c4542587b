import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { MemoryLevel } from "memory-level";
import kv, { type Store } from "../../src/index.ts";
import { expect, it } from "vitest";
import { openClient } from "../support/open-client.ts";
import { changedByTwo } from "../programs/schema-process.ts";
import { place } from "../support/disk.ts";
import { schemaSuite } from "../suites/schema-suite.ts";
import { PATIENT } from "../support/patient.ts";

schemaSuite("MEMORY with a prefix", () => kv(new Map()).prefix("their:"));

const path = `${place()}/schema.db`;
const database = (): Store => {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = OFF");
  return kv(db, PATIENT);
};
schemaSuite(
  "SQLITE",
  () => {
    for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
    return database();
  },
  { another: database },
);

schemaSuite("LEVEL", () => kv(new MemoryLevel()));

it("loses nothing when two processes change the same fields", async () => {
  const folder = place();
  const store = kv((await openClient("SQLITE", folder)) as never, PATIENT);
  expect(await changedByTwo("SQLITE", folder, 40, store)).toEqual([80, 80, 80, 80, 80]);
  await store.close();
});
