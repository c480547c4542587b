import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { indexeddb as IndexedDb } from "../../../src/clients/indexeddb/index.ts";
import type { kv as Kv, Store } from "../../../src/index.ts";
import { runs } from "../../support/runs.ts";
import { openTabs, type Tabs } from "../../support/tabs.ts";

// These are global in the tabs.
declare const kv: typeof Kv;
declare const indexeddb: typeof IndexedDb;
declare const localforage: LocalForage;
declare const tab: { store: Store; release(): void; done: Promise<unknown>; db: IDBDatabase };

const TIMES = runs(500);

let tabs: Tabs;

beforeAll(async () => {
  tabs = await openTabs();
});
afterAll(() => tabs?.close());
afterEach(() => tabs.renew());

/** Adds 1 to a number, so often, each time through `commit`. */
async function increments([kind, times]: readonly ["idb" | "forage", number]): Promise<number> {
  const store = kv(
    kind === "idb" ? "indexeddb://counter" : localforage.createInstance({ name: "counting" }),
  );
  let conflicts = 0;
  for (let done = 0; done < times;) {
    const found = await store.entry<number>("n");
    const result = await store.commit(
      [{ key: "n", version: found?.version ?? null }],
      [{ key: "n", value: (found?.value ?? 0) + 1 }],
    );
    if (result.ok) done++;
    else conflicts++;
  }
  return conflicts;
}

describe("two tabs", () => {
  for (const kind of ["idb", "forage"] as const) {
    it(`lose no increment (${kind})`, async () => {
      const [a, b] = [await tabs.open(), await tabs.open()];
      let rounds = 0;
      // Without a conflict the tabs took turns, and this has shown nothing.
      for (let conflicts = 0; conflicts === 0; rounds++) {
        const both = await Promise.all([
          a.evaluate(increments, [kind, TIMES] as const),
          b.evaluate(increments, [kind, TIMES] as const),
        ]);
        conflicts = both[0] + both[1];
      }
      const total = await a.evaluate(
        (kind) =>
          kv(
            kind === "idb"
              ? "indexeddb://counter"
              : localforage.createInstance({ name: "counting" }),
          ).get("n"),
        kind,
      );
      expect(total).toBe(2 * TIMES * rounds);
    });
  }

  it("share cookies, from any path", async () => {
    const [a, b] = [await tabs.open("/deep/down/page"), await tabs.open()];
    await a.evaluate(() => kv("cookie").set("from", "deep", { expires: "1h" }));
    expect(await b.evaluate(() => kv("cookie").entries())).toEqual([["from", "deep"]]);
    await b.evaluate(() => kv("cookie").del("from"));
    expect(await a.evaluate(() => kv("cookie").keys())).toEqual([]);
  });
});

type Kind = "idb" | "forage" | "storage" | "cookie";

/** A store of a kind over the data of this origin. */
const OPEN = `(kind) => {
  const clients = {
    idb: () => "indexeddb://watched",
    forage: () => localforage.createInstance({ name: "watched" }),
    storage: () => localStorage,
    cookie: () => "cookie",
  };
  return kv(clients[kind](), { prefix: "w:" });
}`;

describe("a watch in one tab", () => {
  it.each<Kind>(["idb", "forage", "storage", "cookie"])(
    "reports the changes of another (%s)",
    async (kind) => {
      const [watching, writing] = [await tabs.open(), await tabs.open()];
      const mode = await watching.evaluate(
        `(async () => {
          const store = (${OPEN})("${kind}");
          globalThis.seen = [];
          const watch = store.watch({ prefix: "" });
          await watch.ready;
          void (async () => {
            for await (const { key, entry } of watch) seen.push([key, entry && entry.value]);
          })();
          return store.supports.watch;
        })()`,
      );
      expect(mode).toBe("native");
      const call = (work: string): Promise<unknown> =>
        writing.evaluate(`(async (store) => ${work})((${OPEN})("${kind}"))`);
      const seen = (): Promise<unknown> => watching.evaluate("Object.fromEntries(seen)");
      await call('store.setMany([["a", 1], ["b", 2]])');
      await expect.poll(seen).toEqual({ a: 1, b: 2 });
      await call('store.commit([], [{ key: "c", value: [3] }])');
      await expect.poll(seen).toEqual({ a: 1, b: 2, c: [3] });
      await call('store.set("b", 3, { expires: "1s" })');
      await call('store.del("a")');
      await expect.poll(seen).toEqual({ a: null, b: null, c: [3] });
    },
  );

  it.each<Kind>(["idb", "forage"])("costs no message when there is none (%s)", async (kind) => {
    const [listening, writing] = [await tabs.open(), await tabs.open()];
    const names =
      kind === "idb" ? ["indexeddb", "watched", "kv"] : ["forage", "watched", "keyvaluepairs"];
    await listening.evaluate((names) => {
      const channel = new BroadcastChannel(`anykv:${JSON.stringify(names)}`);
      Object.assign(globalThis, { heard: [] as unknown[], channel });
      channel.onmessage = ({ data }) =>
        (globalThis as never as { heard: unknown[] }).heard.push(data);
    }, names);
    await writing.evaluate(
      `(async (store) => { await store.set("a", 1); await store.del("a"); })(` +
        `(${OPEN})("${kind}"))`,
    );
    // The one message asks whether a tab watches.
    await expect.poll(() => listening.evaluate("heard")).toEqual(["who?"]);
  });
});

describe("a quota that is used up", () => {
  for (const kind of ["idb", "forage"] as const) {
    it(`leaves what was there (${kind})`, async () => {
      const origin = tabs.origin.replace("localhost", `full-${kind}.localhost`);
      const page = await tabs.open(origin);
      const devtools = await tabs.context.newCDPSession(page);
      // Before the first write: the browser remembers for a while how much room there is.
      await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 5_000_000 });
      const found = await page.evaluate(async (kind) => {
        const client = kind === "idb" ? indexedDB : localforage.createInstance({ name: "full" });
        // A busy machine needs more than the default to move 12 MB.
        const store = kv(client, { timeout: "3m" });
        // Longer than the window in which the browser's compression finds repetitions.
        const noise = Array.from({ length: 200_000 }, () =>
          String.fromCharCode(32 + Math.random() * 90),
        ).join("");
        const large = noise.repeat(60);
        const told = ({ code, key }: { code: string; key?: string }): string => `${code} ${key}`;
        await store.setMany([
          ["a", "old"],
          ["b", "old"],
        ]);
        const set = await store.set("a", large).catch(told);
        const commit = await store
          .commit(
            [],
            [
              { key: "b", value: "new" },
              { key: "a", value: large },
            ],
          )
          .catch(told);
        Object.assign(globalThis, { tab: { store } });
        return [set, commit, await store.entries()] as const;
      }, kind);
      expect(found).toEqual([
        "KV_QUOTA a",
        expect.stringContaining("KV_QUOTA"),
        [
          ["a", "old"],
          ["b", "old"],
        ],
      ]);
      // The browser may take long to free what it has refused.
      await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 500_000_000 });
      await expect
        .poll(() => page.evaluate(() => tab.store.set("a", "still writable").catch(() => null)), {
          timeout: 60_000,
        })
        .toBe("a");
    });
  }
});

describe("FORAGE in two tabs", () => {
  /** A store whose commit stands still before it writes this key, until `tab.release()`. */
  const slowly = (page: Page, slowKey: string): Promise<void> =>
    page.evaluate(async (slowKey) => {
      const instance = localforage.createInstance({ name: "slow" });
      let release!: () => void;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const client = {
        ready: () => instance.ready(),
        driver: () => instance.driver(),
        config: () => instance.config(),
        keys: () => instance.keys(),
        getItem: (key: string) => instance.getItem(key),
        removeItem: (key: string) => instance.removeItem(key),
        setItem: (key: string, value: unknown) =>
          key === slowKey
            ? gate.then(() => instance.setItem(key, value))
            : instance.setItem(key, value),
      };
      const store = kv(client);
      Object.assign(globalThis, { tab: { store, release } });
    }, slowKey);

  const open = (page: Page): Promise<void> =>
    page.evaluate(
      () =>
        void Object.assign(globalThis, {
          tab: { store: kv(localforage.createInstance({ name: "slow" })) },
        }),
    );
  const locks = (page: Page): Promise<(string | undefined)[][]> =>
    page.evaluate(async () => {
      const { held = [], pending = [] } = await navigator.locks.query();
      return [held.map((lock) => lock.mode), pending.map((lock) => lock.mode)];
    });

  it("keep a plain write of one tab out of the other's commit", async () => {
    const [a, b] = [await tabs.open(), await tabs.open()];
    await slowly(a, "n");
    await open(b);
    await b.evaluate(() => tab.store.clear());
    await a.evaluate(
      () =>
        void (tab.done = tab.store.commit(
          [{ key: "n", version: null }],
          [{ key: "n", value: "a" }],
        )),
    );
    await expect.poll(() => locks(a)).toEqual([["exclusive"], []]);
    await b.evaluate(() => void (tab.done = tab.store.set("n", "b")));
    await expect.poll(() => locks(a)).toEqual([["exclusive"], ["shared"]]);
    // Read by localForage itself: reads of the store wait for its write.
    expect(await b.evaluate(() => localforage.createInstance({ name: "slow" }).getItem("n"))).toBe(
      null,
    );
    await a.evaluate(() => tab.release());
    expect(await a.evaluate(() => tab.done)).toMatchObject({ ok: true });
    await b.evaluate(() => tab.done);
    expect(await a.evaluate(() => tab.store.get("n"))).toBe("b");
  });

  it("finish the commit of a closed tab, and keep later writes", async () => {
    const [a, b] = [await tabs.open(), await tabs.open()];
    await open(b);
    await b.evaluate(() => tab.store.clear());
    await b.evaluate(() =>
      tab.store.setMany([
        ["x", "old"],
        ["y", "old"],
        ["z", "old"],
      ]),
    );
    await slowly(a, "y");
    await a.evaluate(
      () =>
        void (tab.done = tab.store.commit(
          [],
          ["x", "y", "z"].map((key) => ({ key, value: "new" })),
        )),
    );
    // The tab has written one key of three.
    await expect
      .poll(() => b.evaluate(() => tab.store.getMany(["x", "y", "z"])))
      .toEqual(["new", "old", "old"]);
    await a.close();
    await b.evaluate(() => tab.store.set("z", "newer"));
    await b.evaluate(() => tab.store.close());
    await open(b);
    expect(await b.evaluate(() => tab.store.getMany(["x", "y", "z"]))).toEqual([
      "new",
      "new",
      "newer",
    ]);
    expect(await b.evaluate(() => localforage.createInstance({ name: "slow" }).length())).toBe(3);
  });
});

describe("INDEXEDDB in two tabs", () => {
  it("lets the other tab upgrade and delete the database, and goes on", async () => {
    const [a, b] = [await tabs.open(), await tabs.open()];
    await a.evaluate(async () => {
      Object.assign(globalThis, { tab: { store: kv("indexeddb://shared") } });
      await tab.store.set("a", 1);
    });
    const change = (page: Page, name: "upgrade" | "delete"): Promise<string> =>
      page.evaluate(
        (name) =>
          new Promise<string>((resolve, reject) => {
            const request =
              name === "upgrade" ? indexedDB.open("shared", 7) : indexedDB.deleteDatabase("shared");
            request.onblocked = () => reject(new Error("blocked"));
            request.onerror = () => reject(request.error);
            request.onupgradeneeded = () => void request.result.createObjectStore("theirs");
            request.onsuccess = () => {
              request.result?.close();
              resolve("done");
            };
          }),
        name,
      );
    expect(await change(b, "upgrade")).toBe("done");
    expect(await a.evaluate(() => tab.store.get("a"))).toBe(1);
    expect(await change(b, "delete")).toBe("done");
    expect(await a.evaluate(() => tab.store.get("a"))).toBe(null);
    expect(await a.evaluate(() => tab.store.set("a", 2).then(() => tab.store.entries()))).toEqual([
      ["a", 2],
    ]);
  });

  it("adds object stores from both at once", async () => {
    const [a, b] = [await tabs.open(), await tabs.open()];
    const fill = (page: Page, name: string): Promise<unknown[]> =>
      page.evaluate(async (name) => {
        const stores = [1, 2, 3, 4].map((i) =>
          kv(indexeddb(indexedDB, { database: "many", store: `${name}${i}` })),
        );
        await Promise.all(stores.map((store, i) => store.set("i", `${name}${i}`)));
        return Promise.all(stores.map((store) => store.get("i")));
      }, name);
    const found = await Promise.all([fill(a, "a"), fill(b, "b")]);
    expect(found).toEqual([
      ["a0", "a1", "a2", "a3"],
      ["b0", "b1", "b2", "b3"],
    ]);
  });
});

describe("COOKIE", () => {
  it("is Secure on https", async () => {
    const page = await tabs.open("https://anykv.test/");
    await page.evaluate(() => kv("cookie").set("a", 1));
    expect(await page.evaluate(() => kv("cookie").get("a"))).toBe(1);
    expect(await tabs.context.cookies()).toMatchObject([
      {
        name: "a",
        secure: true,
        sameSite: "Lax",
        path: "/",
        httpOnly: false,
        domain: "anykv.test",
      },
    ]);
    await page.evaluate(() => kv("cookie").del("a"));
    expect(await tabs.context.cookies()).toEqual([]);
  });

  it("puts back the cookies that the browser dropped for one more", async () => {
    const page = await tabs.open();
    await page.evaluate(async () => {
      for (let i = 0; i < 100; i++) await kv("cookie").set(`k${i}`, i, { expires: "1h" });
    });
    await page.evaluate(() => fetch("/hidden?n=80"));
    expect((await tabs.context.cookies()).length).toBe(180);
    const [before, error, after] = await page.evaluate(async () => {
      const store = kv("cookie");
      const before = await store.list({ limit: 200 });
      const { code, message } = await store.set("one more", 1).then(
        () => ({}) as never,
        (error: { code: string; message: string }) => error,
      );
      return [before, { code, message }, await store.list({ limit: 200 })] as const;
    });
    expect(error).toEqual({ code: "KV_QUOTA", message: expect.stringContaining("put back") });
    expect(before.entries.length).toBe(100);
    expect(after).toEqual(before);
    const lives = (await tabs.context.cookies())
      .filter(({ name }) => name.startsWith("k"))
      .map(({ expires }) => expires * 1000 - Date.now());
    expect(Math.max(...lives)).toBeLessThan(3_602_000);
  });
});
