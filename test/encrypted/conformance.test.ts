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
const secret = new Uint8Array(32).fill(9);

let folder = temporaryFolder();
const fresh = (): string => {
  folder.remove();
  folder = temporaryFolder();
  return folder.path;
};
const cleanup = (): void => folder.remove();

certifyDirectly("encrypted(Map) conforms", {
  open: () => kv(encrypted(new Map(), { keys })),
  runs: 10,
});

const sqliteAt = (path: string) =>
  kv(encrypted(new DatabaseSync(`${path}/data.db`), { keys }), PATIENT);
certifyDirectly("encrypted(SQLite) conforms", {
  open: () => sqliteAt(fresh()),
  reopen: () => sqliteAt(folder.path),
  cleanup,
  runs: 10,
});

const fileAt = (path: string) =>
  kv(encrypted(pathToFileURL(`${path}/data.json`), { keys }), PATIENT);
certifyDirectly("encrypted(file) conforms", {
  open: () => fileAt(fresh()),
  reopen: () => fileAt(folder.path),
  cleanup,
  runs: 10,
});

const certifyInFull: typeof certifyDirectly = (name, subject) => {
  if (isFull) certifyDirectly(name, subject);
};

certifyInFull("encrypted(promise of a store with a prefix) conforms", {
  open: () => kv(encrypted(Promise.resolve(kv(new Map(), { prefix: "app:" })), { keys })),
  runs: 10,
});

certifyDirectly("encrypted(Map, { hashKeys }) conforms", {
  open: () =>
    kv(encrypted(kv(new Map(), { prefix: "app:" }), { keys, hashKeys: secret }), {
      prefix: "user:",
    }),
  runs: 10,
});

const hashedAt = (path: string) =>
  kv(encrypted(new DatabaseSync(`${path}/data.db`), { keys, hashKeys: secret }), PATIENT);
certifyInFull("encrypted(SQLite, { hashKeys }) conforms", {
  open: () => hashedAt(fresh()),
  reopen: () => hashedAt(folder.path),
  cleanup,
  runs: 10,
});

certifyInFull("encrypted(compressed(Map)) conforms", {
  open: () => kv(encrypted(compressed(new Map(), { over: 10 }), { keys })),
  runs: 10,
});
