import "fake-indexeddb/auto";
import { Keyv } from "keyv";
import { LRUCache } from "lru-cache";
import { MemoryLevel } from "memory-level";
import { afterAll, beforeAll, describe, vi } from "vitest";
import { createStorage } from "unstorage";
import kv, { type Store } from "../../src/index.ts";
import { cookieJar, database, forages, storages } from "../support/browser-clients.ts";
import { place } from "../support/disk.ts";
import { fakeDocument } from "../support/fake-document.ts";
import { jepsen, transfersInProcesses } from "../support/jepsen.ts";
import { openClient } from "../support/open-client.ts";
import { PATIENT } from "../support/patient.ts";

/** Several stores over one client of this process. */
const over = (make: () => unknown) => async (): Promise<Store[]> => {
  const client = await make();
  return Array.from({ length: 5 }, () => kv(client as never, PATIENT));
};

/** A client of one's own whose answers all take a turn. */
function custom(): object {
  const data = new Map<string, unknown>();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    get: async (key: string) => (await turn(), data.get(key)),
    set: async (key: string, value: unknown) => (await turn(), void data.set(key, value)),
    del: async (key: string) => (await turn(), void data.delete(key)),
  };
}

jepsen("MEMORY", { open: over(() => new Map()), times: 200 });
jepsen("LEVEL", { open: over(() => new MemoryLevel()) });
jepsen("LRU", { open: over(() => new LRUCache({ max: 1000 })) });
jepsen("KEYV", { open: over(() => new Keyv()) });
jepsen("UNSTORAGE", { open: over(() => createStorage()) });
jepsen("CUSTOM", { open: over(custom), times: 20 });
for (const { name, create } of [...storages, ...forages, database])
  jepsen(name, { open: over(create), times: 15 });

describe("in a page", () => {
  beforeAll(() => {
    vi.stubGlobal("document", fakeDocument());
    vi.stubGlobal("location", new URL("http://localhost/"));
  });
  afterAll(() => void vi.unstubAllGlobals());
  jepsen("COOKIE", { open: over(cookieJar.create), times: 15 });
});

for (const client of ["FILE", "FOLDER", "SQLITE"] as const) {
  const folder = place();
  jepsen(client, {
    open: () =>
      Promise.all(
        Array.from({ length: 3 }, async () =>
          kv((await openClient(client, folder)) as never, PATIENT),
        ),
      ),
    times: 30,
    processes: (store) => transfersInProcesses(client, folder, store),
  });
}
