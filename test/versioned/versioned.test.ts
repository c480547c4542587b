import { DatabaseSync } from "node:sqlite";
import { rmSync } from "node:fs";
import { Keyv } from "keyv";
import { MemoryLevel } from "memory-level";
import { LRUCache } from "lru-cache";
import { createStorage } from "unstorage";
import kv from "../../src/index.ts";
import { versioned, type VersionedStore } from "../../src/versioned/index.ts";
import { place } from "../support/disk.ts";
import { openClient } from "../support/open-client.ts";
import { indexSuite } from "../suites/versioned/indexes.ts";
import { versionedSuite } from "../suites/versioned-suite.ts";
import { PATIENT } from "../support/patient.ts";

let client: unknown;
const fresh = (make: () => unknown) => () => versioned(kv((client = make()) as never, PATIENT));
/** Another store over the client of the test. */
const another = (): VersionedStore => versioned(kv(client as never, PATIENT));

const folder = place();
const path = `${folder}/versioned.db`;
const database = (): DatabaseSync => {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA busy_timeout = 5000");
  return db;
};
versionedSuite(
  "SQLITE",
  () => {
    for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
    return versioned(kv(database(), PATIENT));
  },
  { another: () => versioned(kv(database(), PATIENT)) },
);
for (const kind of ["FILE", "FOLDER"] as const) {
  const open = async (): Promise<VersionedStore> =>
    versioned(kv((await openClient(kind, folder)) as never, PATIENT));
  versionedSuite(
    kind,
    async () => (
      rmSync(`${folder}/data.json`, { force: true }),
      rmSync(`${folder}/data`, { recursive: true, force: true }),
      open()
    ),
    { another: open },
  );
}
versionedSuite(
  "LEVEL",
  fresh(() => new MemoryLevel()),
);
versionedSuite(
  "LRU",
  fresh(() => new LRUCache({ max: 10_000 })),
  { another },
);
versionedSuite(
  "KEYV",
  fresh(() => new Keyv()),
);
versionedSuite(
  "UNSTORAGE",
  fresh(() => createStorage()),
);
versionedSuite(
  "CUSTOM",
  fresh(() => {
    const data = new Map<string, unknown>();
    return {
      get: async (key: string) => data.get(key),
      set: async (key: string, value: unknown) => void data.set(key, structuredClone(value)),
      del: async (key: string) => void data.delete(key),
      async *iterate(prefix: string) {
        for (const [key, value] of [...data]) if (key.startsWith(prefix)) yield [key, value];
      },
    };
  }),
  { another },
);

indexSuite(
  "SQLITE",
  () => {
    for (const file of [path, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
    return kv(database(), PATIENT);
  },
  () => kv(database(), PATIENT),
);
indexSuite("LEVEL", () => kv(new MemoryLevel()));
