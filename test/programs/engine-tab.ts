// What the tabs of test/clients/indexeddb/engines.test.ts load.
import { indexeddb } from "../../src/clients/indexeddb/index.ts";
import { http } from "../../src/clients/http/index.ts";
import { createHandler } from "../../src/http/index.ts";
import kv, { type Store } from "../../src/index.ts";
import { createKVStore, type KVFn } from "../../src/reactive/index.ts";
import { COUNTERS } from "./counters.ts";

/** What the tests find in `globalThis.tab`. */
export interface EngineTab {
  readonly kv: typeof kv;
  readonly indexeddb: typeof indexeddb;
  readonly createKVStore: typeof createKVStore;
  /** A store over a server that runs in the page itself. */
  served(): Store;
  /** Shows a counter made with a framework. */
  counter(framework: keyof typeof COUNTERS, store: KVFn): HTMLElement;
  /**
   * Writes one record after the other, and reports the number of acknowledged ones to a URL. When
   * it answers "stop", the last report has the keys that are acknowledged and not stored.
   */
  writeOn(database: string, url: string): Promise<void>;
  /** Left here by one call for the next. */
  readonly kept: { [name: string]: unknown };
}

function served(): Store {
  const token = "9b9634a1-1655-4baf";
  const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "docs" }] });
  const fetch: typeof globalThis.fetch = (...request) => handler(new Request(...request));
  return kv(http("https://localhost", { token, fetch }));
}

function counter(framework: keyof typeof COUNTERS, store: KVFn): HTMLElement {
  const host = document.body.appendChild(document.createElement("div"));
  COUNTERS[framework](host, store);
  return host;
}

async function writeOn(database: string, url: string): Promise<void> {
  const store = kv(database as `indexeddb://${string}`);
  const keys: string[] = [];
  const report = (missing?: string[]): Promise<string> =>
    fetch(url, {
      method: "POST",
      body: JSON.stringify({ acknowledged: keys.length, missing }),
    }).then(
      (answer) => answer.text(),
      () => "the server cannot be reached",
    );
  for (let n = 0; ; n++) {
    const key = await store.set(`key ${n}`, n).catch(() => null);
    if (key !== null) keys.push(key);
    if (n % 10 === 0 && (await report()) === "stop") break;
  }
  const stored = new Set(await store.keys());
  await report(keys.filter((key) => !stored.has(key)));
}

const tab: EngineTab = { kv, indexeddb, createKVStore, served, counter, writeOn, kept: {} };

/** Makes it global. Where the page is `/#<URL>`, it writes at once and reports there. */
export function install(): void {
  Object.assign(globalThis, { tab });
  const url = location.hash.slice(1);
  if (url !== "") void writeOn("indexeddb://killed/records", url);
}
