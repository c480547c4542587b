import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type anykvOf from "../../src/index.ts";
import type { createKVStore as Create, KVFn, KVState } from "../../src/reactive/index.ts";
import { openTabs, type Tabs } from "../support/tabs.ts";
import { eventually } from "../support/eventually.ts";

interface Note {
  n: number;
  text: string;
}

// These are global in the tabs.
declare const createKVStore: typeof Create;
declare const anykv: typeof anykvOf;
declare const rows: (database: string, store: string) => Promise<{ [key: string]: unknown }>;
declare const tab: { notes: KVFn; state: KVState<Note>; seen: unknown[]; [name: string]: unknown };

let tabs: Tabs;

beforeAll(async () => {
  tabs = await openTabs('import { install } from "./test/programs/reactive-tab.ts"; install();');
});
afterAll(() => tabs?.close());
afterEach(() => tabs.renew());

/** A tab with `tab.notes`, the store "notes", and `tab.state`, its state of the key "a". */
async function open(url = "/", version = 1): Promise<Page> {
  const page = await tabs.open(url);
  await begin(page, version);
  return page;
}

const begin = (page: Page, version = 1): Promise<void> =>
  page.evaluate(async (version) => {
    const notes = createKVStore("notes", version);
    const seen: unknown[] = [];
    Object.assign(globalThis, { tab: { notes, seen, state: notes("a", { n: 0, text: "" }) } });
    notes.subscribe(tab.state, () => seen.push(tab.state.data));
    await notes.ready();
  }, version);

const dataOf = (page: Page): Promise<Note> =>
  page.evaluate(() => tab.notes.snapshot(tab.state).data);
const stored = (page: Page): Promise<{ [key: string]: unknown }> =>
  page.evaluate(() => rows("notes.kv", "notes"));

describe("two tabs", () => {
  it("show each other's changes, without an echo, online and offline", async () => {
    const [a, b] = [await open(), await open()];
    const count = (page: Page): Promise<void> =>
      page.evaluate(() => {
        const transaction = IDBDatabase.prototype.transaction;
        Object.assign(tab, { written: 0 }).seen.length = 0;
        IDBDatabase.prototype.transaction = function (...args) {
          if (args[1] === "readwrite") (tab as unknown as { written: number }).written++;
          return transaction.apply(this, args);
        };
      });
    await count(a);
    await count(b);
    await a.evaluate(() => void (tab.state.data.n = 1));
    await eventually(() => dataOf(b)).toEqual({ n: 1, text: "" });
    expect(await b.evaluate(() => tab.seen.length)).toBe(1);
    await tabs.context.setOffline(true);
    await b.evaluate(() => void (tab.state.data.text = "offline"));
    await eventually(() => dataOf(a)).toEqual({ n: 1, text: "offline" });
    await a.evaluate(() => tab.notes.ready());
    await b.evaluate(() => tab.notes.ready());
    expect([await a.evaluate(() => tab.written), await b.evaluate(() => tab.written)]).toEqual([
      1, 1,
    ]);
    expect(await stored(a)).toEqual({ a: { n: 1, text: "offline" } });
  });

  it("lose nothing of different keys, and end with the same of one", async () => {
    const [a, b] = [await open(), await open()];
    const hammer = (page: Page, own: string): Promise<void> =>
      page.evaluate(async (own) => {
        const notes = createKVStore("notes");
        const mine = notes(own, [] as number[]);
        for (let i = 0; i < 40; i++) {
          mine.data.push(i);
          tab.state.data = { n: i, text: own };
          if (i % 4 === 0) await notes.ready();
          else await new Promise((done) => setTimeout(done, i % 3));
        }
        await notes.ready();
      }, own);
    await Promise.all([hammer(a, "of a"), hammer(b, "of b")]);
    const numbers = Array.from({ length: 40 }, (_, i) => i);
    const { a: shared, ...own } = await stored(a);
    expect(own).toEqual({ "of a": numbers, "of b": numbers });
    expect(shared).toMatchObject({ n: 39 });
    await eventually(async () => [await dataOf(a), await dataOf(b)]).toEqual([shared, shared]);
  });

  it("are told of keys that come and go", async () => {
    const [a, b] = [await open(), await open()];
    await a.evaluate(() => (tab.notes("new", 1), tab.notes.ready()));
    await eventually(() => b.evaluate(() => tab.notes.store().get("new"))).toBe(1);
    await b.evaluate(() => tab.notes.remove("a"));
    expect(await b.evaluate(() => tab.state.status)).toBe("removed");
    await eventually(() =>
      a.evaluate(() => [tab.state.status, tab.state.data === undefined]),
    ).toEqual(["removed", true]);
    expect(await stored(a)).toEqual({ new: 1 });
  });

  it("share localStorage as well", async () => {
    const [a, b] = [await tabs.open(), await tabs.open()];
    for (const page of [a, b]) {
      await page.evaluate(async () => {
        const notes = createKVStore("notes", { store: anykv(localStorage), interval: "50ms" });
        Object.assign(globalThis, { tab: { notes, state: notes("a", { n: 0, text: "" }) } });
        await notes.ready();
      });
    }
    await a.evaluate(() => void (tab.state.data.n = 5));
    await eventually(() => dataOf(b)).toEqual({ n: 5, text: "" });
    expect(await b.evaluate(() => JSON.parse(localStorage.getItem("notes:a")!).value)).toEqual({
      n: 5,
      text: "",
    });
  });
});

describe("a tab that goes", () => {
  for (const way of ["closes", "navigates", "reloads"] as const) {
    it(`has written its last change: it ${way}`, async () => {
      const [a, b] = [await open(), await open()];
      await a.evaluate(() => void (tab.state.data = { n: 7, text: "last" }));
      if (way === "closes") await a.close({ runBeforeUnload: true });
      else if (way === "navigates") await a.goto("about:blank");
      else await a.reload();
      await eventually(() => stored(b)).toEqual({ a: { n: 7, text: "last" } });
      await eventually(() => dataOf(b)).toEqual({ n: 7, text: "last" });
      if (way !== "reloads") return;
      await a.waitForFunction("globalThis.kv !== undefined");
      await begin(a);
      expect(await dataOf(a)).toEqual({ n: 7, text: "last" });
    });
  }

  const leave = {
    reloads: (page: Page) => page.reload(),
    navigates: (page: Page) => page.goto("about:blank"),
  };
  for (const [way, when] of [
    ["reloads", "on its way"],
    ["navigates", "not begun"],
  ] as const) {
    it(`leaves a last change, which is ${when}, to a waiting tab: it ${way}`, async () => {
      const [a, b] = [await open(), await open()];
      // The browser aborts what a page has not begun to write when it goes.
      await b.evaluate(() => {
        let isOver = false;
        const opening = indexedDB.open("notes.kv");
        return new Promise<void>((resolve) => {
          opening.onsuccess = () => {
            const rows = opening.result.transaction("notes", "readwrite").objectStore("notes");
            const again = (): void =>
              void (isOver ? opening.result.close() : (rows.get("a").onsuccess = again));
            Object.assign(tab, { release: () => (isOver = true) });
            again();
            resolve();
          };
        });
      });
      await a.evaluate((when) => {
        tab.state.data = { n: 7, text: "last" };
        if (when === "on its way") void tab.notes.flush();
      }, when);
      await leave[way](a);
      await b.evaluate(() => (tab as unknown as { release(): void }).release());
      await eventually(() => stored(b)).toEqual({ a: { n: 7, text: "last" } });
      await eventually(() => dataOf(b)).toEqual({ n: 7, text: "last" });
    });
  }

  it("into the background has written its changes, and reads again when it is back", async () => {
    const page = await open();
    const turn = (to: string): Promise<void> =>
      page.evaluate((to) => {
        Object.defineProperty(document, "visibilityState", { value: to, configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      }, to);
    await page.evaluate(
      () => void (tab.notes = createKVStore("slow", { dbName: "notes.kv", delay: "1h" })),
    );
    await page.evaluate(async () => {
      Object.assign(tab, { state: tab.notes("a", { n: 0, text: "" }) });
      await tab.notes.ready();
      tab.state.data.n = 1;
    });
    await turn("hidden");
    await eventually(() => page.evaluate(() => rows("notes.kv", "slow"))).toEqual({
      a: { n: 1, text: "" },
    });
    // Behind our back, as by a tab that was killed before it told anybody.
    await page.evaluate(
      () =>
        new Promise((done) => {
          indexedDB.open("notes.kv").onsuccess = ({ target }) => {
            const db = (target as IDBOpenDBRequest).result;
            const transaction = db.transaction("slow", "readwrite");
            transaction.objectStore("slow").put({ n: 2, text: "elsewhere" }, "a");
            transaction.oncomplete = () => (db.close(), done(undefined));
          };
        }),
    );
    await turn("visible");
    await eventually(() => dataOf(page)).toEqual({ n: 2, text: "elsewhere" });
  });

  for (const way of ["is killed", "crashes"] as const) {
    it(`while it writes leaves what was whole: it ${way}`, async () => {
      const [a, b] = [await open(), await open()];
      await a.evaluate(() => {
        setInterval(() => {
          const n = tab.state.data.n + 1;
          tab.state.data = { n, text: `${n},`.repeat(20_000) };
          void tab.notes.flush();
        }, 1);
      });
      await eventually(async () => (await dataOf(b)).n).toBeGreaterThan(5);
      if (way === "is killed") await a.close();
      else {
        const devtools = await tabs.context.newCDPSession(a);
        devtools.send("Page.crash").catch(() => {});
        await a.waitForEvent("crash");
      }
      const whole = ({ n, text }: Note): boolean => text === `${n},`.repeat(20_000);
      const found = (await stored(b)).a as Note;
      expect([found.n > 5, whole(found)]).toEqual([true, true]);
      await b.evaluate(() => {
        tab.state.data.text = "";
        return tab.notes.ready();
      });
      const after = (await stored(b)).a as Note;
      expect(after.text).toBe("");
      expect(await dataOf(b)).toEqual(after);
    });
  }
});

describe("a database", () => {
  it("that another tab upgrades or deletes is let go, and opened again", async () => {
    const [a, b] = [await open(), await open()];
    const change = (page: Page, version?: number): Promise<string> =>
      page.evaluate(
        (version) =>
          new Promise<string>((resolve, reject) => {
            const request =
              version === undefined
                ? indexedDB.deleteDatabase("notes.kv")
                : indexedDB.open("notes.kv", version);
            request.onblocked = () => reject(new Error("blocked"));
            request.onerror = () => reject(request.error);
            request.onsuccess = () => {
              request.result?.close();
              resolve("done");
            };
          }),
        version,
      );
    expect(await change(b, 5)).toBe("done");
    await a.evaluate(() => void (tab.state.data.n = 1));
    expect(await a.evaluate(() => tab.notes.ready())).toBe(true);
    await eventually(() => dataOf(b)).toEqual({ n: 1, text: "" });
    expect(await stored(b)).toEqual({ a: { n: 1, text: "" } });
    // A page that begins with the version of before is refused.
    const late = await tabs.open();
    const refused = await late.evaluate(() =>
      createKVStore("notes")
        .ready()
        .catch(({ code }: { code: string }) => code),
    );
    expect(refused).toBe("KV_INVALID_CLIENT");
    const newer = await open("/", 6);
    expect(await dataOf(newer)).toEqual({ n: 1, text: "" });

    expect(await change(b)).toBe("done");
    await a.evaluate(() => void (tab.state.data.n = 2));
    expect(await a.evaluate(() => tab.notes.ready())).toBe(true);
    expect(await stored(b)).toEqual({ a: { n: 2, text: "" } });
  });

  it("that the browser closes by force is opened again", async () => {
    const page = await open();
    const devtools = await tabs.context.newCDPSession(page);
    await devtools.send("Storage.clearDataForOrigin", {
      origin: tabs.origin,
      storageTypes: "indexeddb",
    });
    await page.evaluate(() => void (tab.state.data.n = 3));
    expect(await page.evaluate(() => tab.notes.ready())).toBe(true);
    expect(await stored(page)).toEqual({ a: { n: 3, text: "" } });
  });

  it("that is full takes back the refused change", async () => {
    const origin = tabs.origin.replace("localhost", "full-reactive.localhost");
    const page = await tabs.open(origin);
    const devtools = await tabs.context.newCDPSession(page);
    // Before the first write: the browser remembers for a while how much room there is.
    await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 5_000_000 });
    await begin(page);
    const found = await page.evaluate(async () => {
      const { notes, state } = tab;
      const small = notes("small", 1);
      state.data.text = "before";
      await notes.ready();
      const noise = Array.from({ length: 4_000_000 }, () =>
        String.fromCharCode(32 + Math.random() * 90),
      ).join("");
      state.data.n = 99;
      state.data.text = noise.repeat(3);
      small.data = 2;
      const code = await notes.ready().catch((error: { code: string }) => error.code);
      const now = [
        code,
        state.data,
        state.status,
        (state.error as { code?: string } | undefined)?.code,
      ];
      return [now, [small.data, small.status], await rows("notes.kv", "notes")] as const;
    });
    const [now, [small, status], kept] = found;
    expect(now).toEqual(["KV_QUOTA", { n: 0, text: "before" }, "error", "KV_QUOTA"]);
    // A busy browser may take longer to free what it has refused, and refuse the small one too: it
    // says what it did.
    expect([
      [2, "ready"],
      [1, "error"],
    ]).toContainEqual([small, status]);
    expect(kept).toEqual({ a: { n: 0, text: "before" }, small });
    // The browser may take long to free what it has refused.
    await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 500_000_000 });
    const written = (): Promise<string> =>
      page.evaluate(async () => {
        tab.state.data.text += "!";
        await tab.notes.flush();
        return tab.state.status;
      });
    await eventually(written).toBe("ready");
    expect(((await stored(page)).a as Note).text).toMatch(/^before!+$/);
    expect(await page.evaluate(() => "error" in tab.state)).toBe(false);
  });

  it("that is not to be had leaves states in memory", async () => {
    const page = await tabs.open();
    const told = await page.evaluate(async () => {
      // A frame without an origin of its own may not use IndexedDB.
      const frame = document.createElement("iframe");
      frame.setAttribute("sandbox", "allow-scripts");
      const told = new Promise((resolve) =>
        addEventListener("message", ({ data }) => resolve(data), { once: true }),
      );
      frame.srcdoc = `<script type="module">
        await import("${location.origin}/stdin.js");
        const { createKVStore } = globalThis;
        const notes = createKVStore("notes");
        const state = notes("a", { n: 0 });
        const code = await notes.ready().catch((error) => error.code);
        state.data.n = 1;
        await notes.flush();
        const shown = notes.snapshot(state).data;
        parent.postMessage([code, state.status, state.error.code, state.data.n, shown], "*");
      </script>`;
      document.body.append(frame);
      return told;
    });
    expect(told).toEqual(["KV_CONNECTION", "error", "KV_CONNECTION", 1, { n: 1 }]);
  });
});
