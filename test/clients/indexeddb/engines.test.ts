import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KVFn } from "../../../src/reactive/index.ts";
import { until } from "../../support/daemon.ts";
import type { EngineTab } from "../../programs/engine-tab.ts";
import {
  type Engine,
  type EngineName,
  type EnginePage,
  missingFor,
  openEngine,
  showInWebKit,
} from "../../support/engines.ts";
import { isFull } from "../../support/runs.ts";
import { servePage, type ServedPage } from "../../support/tabs.ts";

// Global in the tabs.
declare const tab: EngineTab;

/**
 * The process that keeps the data of pages, by its command line. Firefox keeps it in the process of
 * the browser itself.
 */
const STORAGE_PROCESS: { readonly [name in EngineName]?: RegExp } = {
  Chromium: /storage\.mojom\.StorageService/,
  WebKit: /WebKitNetworkProcess/,
};

interface Report {
  readonly acknowledged: number;
  readonly missing?: readonly string[];
}

/**
 * Takes the reports of `tab.writeOn()`. The page stops after `stop()`, and tells what is missing.
 */
async function reportServer(): Promise<{
  readonly url: string;
  last(): Report;
  stop(): void;
  close(): void;
}> {
  let last: Report = { acknowledged: 0 };
  let isOver = false;
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      last = JSON.parse(text) as Report;
      response
        .writeHead(200, { "access-control-allow-origin": "*" })
        .end(isOver ? "stop" : "go on");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    last: () => last,
    stop: () => void (isOver = true),
    close: () => void server.close(),
  };
}

const click = (): void => (tab.kept.host as HTMLElement).querySelector("button")!.click();

let page: ServedPage;
beforeAll(async () => {
  page = await servePage('import { install } from "./test/programs/engine-tab.ts"; install();');
});
afterAll(() => page?.close());

// `scripts/runtimes.mjs` runs every API in Firefox and in WebKit, too.
const engines: readonly EngineName[] = isFull ? ["Chromium", "Firefox", "WebKit"] : ["Chromium"];

// Those of the others run in one tab of Chromium: test/reactive/bindings.browser.test.ts.
const frameworks = isFull ? (["react", "vue", "svelte", "solid"] as const) : (["react"] as const);

for (const name of engines) {
  const missing = missingFor(name);
  if (missing !== undefined) console.log(`${name} is not tested: apt-get install ${missing}`);

  describe.skipIf(missing !== undefined)(name, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await openEngine(name);
    });
    afterAll(() => engine?.close());

    /** A tab of the same origin. Its program has run. */
    async function open(): Promise<EnginePage> {
      const opened = await engine.open(page.origin);
      await until("the program has run", () => opened.evaluate(() => "tab" in globalThis));
      return opened;
    }

    it("keeps the commits of another tab, and the writes of a closed tab", async () => {
      const [one, two] = [await open(), await open()];
      await one.evaluate(async () => {
        const store = tab.kv("indexeddb://shared/records");
        await store.setMany([
          ["a", 1],
          ["b", 2],
        ]);
        // Not awaited: the tab may be closed before it is over.
        void store.commit(
          [],
          [
            { key: "a", value: 10 },
            { key: "b", value: 20 },
          ],
        );
      });
      await one.close();
      const found = await two.evaluate(async () => {
        const store = tab.kv("indexeddb://shared/records");
        return [await store.get("a"), await store.get("b")];
      });
      expect([
        [1, 2],
        [10, 20],
      ]).toContainEqual(found);
      await two.close();
    });

    it("loses no increment of two tabs at once", async () => {
      const tabs = [await open(), await open()];
      const raise = async (): Promise<void> => {
        const store = tab.kv<number>("indexeddb://shared/counts");
        for (let done = 0; done < 50;) {
          const entry = await store.entry("n");
          const { ok } = await store.commit(
            [{ key: "n", version: entry?.version ?? null }],
            [{ key: "n", value: (entry?.value ?? 0) + 1 }],
          );
          if (ok) done++;
        }
      };
      await Promise.all(tabs.map((each) => each.evaluate(raise)));
      const read = (): Promise<number | null> =>
        tab.kv<number>("indexeddb://shared/counts").get("n");
      expect(await tabs[0]!.evaluate(read)).toBe(100);
      await Promise.all(tabs.map((each) => each.close()));
    });

    it.each(frameworks)("shows the changes of one tab in the other, by %s", async (framework) => {
      const [one, two] = [await open(), await open()];
      const begin = async (framework: "react"): Promise<void> => {
        const store = tab.createKVStore(`shown-${framework}`, { delay: 0 });
        tab.kept.host = tab.counter(framework, store);
        await store.ready();
      };
      await one.evaluate(begin, framework as "react");
      await two.evaluate(begin, framework as "react");
      const text = (): string => (tab.kept.host as HTMLElement).textContent;
      const bothShow = (n: string): Promise<void> =>
        until(`both show ${n}`, async () =>
          (await Promise.all([one, two].map((each) => each.evaluate(text)))).every(
            (shown) => shown === n,
          ),
        );
      await bothShow("0");
      for (const [i, tab] of [one, two].entries()) {
        await tab.evaluate(click);
        await bothShow(String(i + 1));
      }
      await Promise.all([one, two].map((each) => each.close()));
      const three = await open();
      const stored = await three.evaluate(async (framework) => {
        const store: KVFn = tab.createKVStore(`shown-${framework}`);
        const state = store("counter", { n: 0 });
        await store.ready();
        return (store.snapshot(state).data as { n: number }).n;
      }, framework);
      expect(stored).toBe(2);
      await three.close();
    });

    it.each(["IndexedDB", "Web Storage", "cookies"])(
      "reports the changes of one tab to a watch of %s in the other",
      async (client) => {
        const [one, two] = [await open(), await open()];
        const begin = async (where: string): Promise<void> => {
          const clients: { [name: string]: unknown } = {
            IndexedDB: "indexeddb://watched/records",
            "Web Storage": localStorage,
            cookies: "cookie",
          };
          const store = tab.kv(clients[where] as never);
          await store.clear();
          Object.assign(tab.kept, { store, last: undefined });
          const watch = store.watch({ prefix: "w:" });
          await watch.ready;
          void (async () => {
            for await (const { key, entry } of watch) tab.kept.last = [key, entry?.value ?? null];
          })();
        };
        await one.evaluate(begin, client);
        await two.evaluate(begin, client);
        const write = (value: number | null): Promise<string> =>
          (tab.kept.store as { set(key: string, value: unknown): Promise<string> }).set(
            "w:a",
            value,
          );
        const last = (): unknown => tab.kept.last;
        for (const value of [1, 2, null]) {
          await two.evaluate(write, value);
          await until("the other tab is told", async () => {
            const seen = (await one.evaluate(last)) as unknown[] | undefined;
            return seen?.[0] === "w:a" && seen[1] === value;
          });
        }
        await Promise.all([one, two].map((each) => each.close()));
      },
    );

    it("rejects a value beyond the quota, and keeps the old one", async () => {
      const opened = await open();
      const found = await opened.evaluate(async () => {
        localStorage.clear();
        const store = tab.kv(localStorage);
        await store.set("a", "old");
        const code = await store
          .set("a", "x".repeat(20_000_000))
          .catch((error: { code: string }) => error.code);
        const result = [code, await store.get("a"), await store.set("b", "new")];
        await store.clear();
        return result;
      });
      expect(found).toEqual(["KV_QUOTA", "old", "b"]);
      await opened.close();
    });

    it("goes on after its database was deleted under an open store", async () => {
      const opened = await open();
      const found = await opened.evaluate(async () => {
        const store = tab.kv("indexeddb://deleted/records");
        await store.set("a", 1);
        await new Promise<void>((resolve, reject) => {
          const request = indexedDB.deleteDatabase("deleted");
          request.onsuccess = () => resolve();
          request.onerror = () => reject(request.error);
        });
        return [await store.get("a"), await store.set("a", 2), await store.get("a")];
      });
      expect(found).toEqual([null, "a", 2]);
      await opened.close();
    });

    it("runs a server inside the page", async () => {
      const opened = await open();
      const found = await opened.evaluate(async () => {
        const store = tab.served();
        await store.set("a", { n: 1 });
        return [await store.get("a"), await store.keys()];
      });
      expect(found).toEqual([{ n: 1 }, ["a"]]);
      await opened.close();
    });

    const pattern = STORAGE_PROCESS[name];
    it.skipIf(pattern === undefined)(
      "goes on when the browser's storage process is killed, and keeps what was acknowledged",
      async () => {
        const reports = await reportServer();
        const url = `${page.origin}/#${reports.url}`;
        const shown = name === "WebKit" ? await showInWebKit(url) : engine;
        if (shown === engine) await engine.open(url);
        await until("20 writes are acknowledged", () => reports.last().acknowledged >= 20);
        const killed = shown.processes().find(({ command }) => pattern!.test(command))!;
        process.kill(killed.pid, "SIGKILL");
        const isGone = (): boolean => shown.processes().every(({ pid }) => pid !== killed.pid);
        await until("the process is gone", isGone);
        const before = reports.last().acknowledged;
        await until("the same store works", () => reports.last().acknowledged >= before + 20);
        reports.stop();
        await until("the page has read what is stored", () => reports.last().missing !== undefined);
        expect(reports.last().missing).toEqual([]);
        reports.close();
        if (shown !== engine) await shown.close();
      },
    );
  });
}
