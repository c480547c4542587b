import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, it } from "vitest";
import type { Store } from "../../../src/api.ts";
import { http } from "../../../src/clients/http/index.ts";
import { conformance } from "../../../src/conformance/index.ts";
import {
  createHandler,
  type HandlerOptions,
  type KvServer,
  serve,
  spaceOf,
} from "../../../src/http/index.ts";
import kv, { type Client } from "../../../src/index.ts";
import { certify } from "../../suites/certify.ts";
import { DISK_CLIENTS, openClient } from "../../support/open-client.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { PATIENT } from "../../support/patient.ts";
import { isFull } from "../../support/runs.ts";

const token = "a-token-for-the-tests";
const options: HandlerOptions = {
  tokens: [{ token, space: "a/b {c}" }],
  limits: { valueBytes: Infinity, bodyBytes: 20_000_000 },
};
const HTTP = { token };

/** A server over a store of its own for each test, and what is left of it when the test is over. */
const servers = new Map<Store, { server: KvServer; store: Store }>();

async function overNode(store: Store, prefix = ""): Promise<Store> {
  const server = await serve(store, options);
  const client = kv(http(server.url, HTTP), { ...PATIENT, prefix });
  servers.set(client, { server, store });
  return client;
}

async function end(client: Store): Promise<void> {
  const { server, store } = servers.get(client)!;
  servers.delete(client);
  await server.close();
  await store.close();
}

// Through a prefix the store of a test is another one than that which was opened.
const endAll = async (): Promise<void> => void (await Promise.all([...servers.keys()].map(end)));
afterAll(endAll);

certify("HTTP over memory by node:http", {
  open: () => overNode(kv(new Map())),
  cleanup: endAll,
  runs: 5,
});

let folder = temporaryFolder();
afterAll(() => folder.remove());

certify("HTTP over SQLite by node:http", {
  open: () => {
    folder.remove();
    folder = temporaryFolder();
    return overNode(kv(new DatabaseSync(`${folder.path}/data.db`)));
  },
  reopen: async () => {
    await endAll();
    return overNode(kv(new DatabaseSync(`${folder.path}/data.db`)));
  },
  foreign: {
    put: async (_client, key) => {
      const [{ store }] = servers.values() as unknown as [{ store: Store }];
      await spaceOf(store, "a/b {c}").set(key, 1);
      // Of no version of ours.
      const db = new DatabaseSync(`${folder.path}/data.db`);
      db.prepare("UPDATE kv SET version = 'theirs' WHERE key LIKE '%' || ?").run(key);
      db.close();
    },
    has: (_client, key) => {
      const db = new DatabaseSync(`${folder.path}/data.db`);
      const found = db.prepare("SELECT 1 FROM kv WHERE key LIKE '%d/' || ?").get(key) !== undefined;
      db.close();
      return found;
    },
  },
  cleanup: endAll,
  runs: 3,
});

describe("HTTP by node:http conforms by the real clock", () => {
  for (const { name, run } of conformance({
    open: () => overNode(kv(new Map())),
    cleanup: endAll,
    clock: "real",
    runs: 2,
  }))
    it(name, run);
});

describe("HTTP with a limit on storage conforms", () => {
  const metered: HandlerOptions = {
    ...options,
    limits: {
      ...options.limits,
      storageBytes: 1e9,
      operationsPerMonth: 1e9,
      requestsPerSecond: 1e9,
    },
  };
  const open = (): Store => {
    const handler = createHandler(kv(new Map()), metered);
    return kv(
      http("http://localhost", { ...HTTP, fetch: (url, init) => handler(new Request(url, init)) }),
      PATIENT,
    );
  };
  // What is written all or nothing, in a short run.
  const isTried = ({ name }: { name: string }): boolean => isFull || /^A\d /.test(name);
  for (const { name, run } of conformance({ open, runs: 3 }).filter(isTried)) it(name, run);
});

/** Every client that a server can have, by a handler alone. */
class Custom {
  readonly data = new Map<string, unknown>();
  get = (key: string): unknown => this.data.get(key);
  set = (key: string, value: unknown): void => void this.data.set(key, value);
  del = (key: string): void => void this.data.delete(key);
  *iterate(prefix: string): Generator<[string, unknown]> {
    for (const [key, value] of this.data) if (key.startsWith(prefix)) yield [key, value];
  }
}

const CLIENTS: { readonly [name: string]: () => unknown } = {
  MEMORY: () => new Map(),
  CUSTOM: () => new Custom(),
};

function overHandler(store: Store): Store {
  const handler = createHandler(store, options);
  return kv(
    http("https://kv.test/", { ...HTTP, fetch: (url, init) => handler(new Request(url, init)) }),
    PATIENT,
  );
}

// The server asks them all in the same way: one is enough for a short run.
for (const name of isFull ? ["MEMORY", "CUSTOM", ...DISK_CLIENTS] : ["CUSTOM"]) {
  describe(`${name} conforms through HTTP`, () => {
    let place = temporaryFolder();
    let store: Store;
    const open = async (): Promise<Store> => {
      const client = CLIENTS[name]?.() ?? (await openClient(name as never, place.path));
      return overHandler((store = kv(client as Client)));
    };
    const cleanup = async (): Promise<void> => {
      await store.close();
      place.remove();
      place = temporaryFolder();
    };
    afterAll(() => place.remove());
    for (const { name, run } of conformance({ open, cleanup, runs: 2 })) it(name, run);
  });
}
