import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { compressed } from "../../src/compressed/index.ts";
import { encrypted } from "../../src/encrypted/index.ts";
import kv from "../../src/index.ts";
import { certifyDirectly } from "../suites/certify.ts";
import { temporaryFolder } from "../support/folders.ts";
import { PATIENT } from "../support/patient.ts";
import { isFull } from "../support/runs.ts";

const keys = [{ id: "a", key: new Uint8Array(32).fill(7) }];

let folder = temporaryFolder();
const fresh = (): string => {
  folder.remove();
  folder = temporaryFolder();
  return folder.path;
};
const cleanup = (): void => folder.remove();

certifyDirectly("compressed(Map, { over: 0 }) conforms", {
  open: () => kv(compressed(new Map(), { over: 0 })),
  runs: 10,
});

const sqliteAt = (path: string) =>
  kv(compressed(new DatabaseSync(`${path}/data.db`), { over: 10 }), PATIENT);
certifyDirectly("compressed(SQLite) conforms", {
  open: () => sqliteAt(fresh()),
  reopen: () => sqliteAt(folder.path),
  cleanup,
  runs: 10,
});

const fileAt = (path: string) =>
  kv(compressed(pathToFileURL(`${path}/data.json`), { over: 10 }), PATIENT);
certifyDirectly("compressed(file) conforms", {
  open: () => fileAt(fresh()),
  reopen: () => fileAt(folder.path),
  cleanup,
  runs: 10,
});

// Over Redis in every run.
if (isFull)
  certifyDirectly("compressed(encrypted(Map)) conforms", {
    open: () => kv(compressed(encrypted(new Map(), { keys }), { over: 10 })),
  });
