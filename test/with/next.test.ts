import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { nextCacheHandler, nextCacheHandlers, type NextEntry } from "../../src/with/next/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";

let prefixes = 0;

const clock = (): number => performance.timeOrigin + performance.now();

const entryOf = (text: string, more: Partial<NextEntry> = {}): NextEntry => ({
  value: new Blob([text]).stream() as NextEntry["value"],
  tags: [],
  stale: 30,
  timestamp: clock(),
  expire: 3600,
  revalidate: 60,
  ...more,
});

const textOf = async (entry: NextEntry | undefined): Promise<string | undefined> =>
  entry && new Response(entry.value).text();

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(INTEGRATION_STORES)("cacheHandlers of Next.js on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`next${prefixes++}:`);

  it("keep an entry, also for another process", async () => {
    const store = await fresh();
    const [one, two] = [nextCacheHandlers(store), nextCacheHandlers(store)];
    const key = JSON.stringify(["build", "id", ["x".repeat(2000), "ä\0"]]);
    const entry = entryOf("hello ä", { tags: ["a"] });
    await one.set(key, Promise.resolve(entry));
    for (const handler of [one, two, two]) {
      const found = (await handler.get(key, []))!;
      expect(found).toMatchObject({ tags: ["a"], stale: 30, expire: 3600, revalidate: 60 });
      expect(found.timestamp).toBe(entry.timestamp);
      expect(await textOf(found)).toBe("hello ä");
    }
    expect(await two.get(`${key} `, [])).toBe(undefined);
  });

  it("let a read wait for a write that has begun", async () => {
    const handler = nextCacheHandlers(await fresh());
    let end: (entry: NextEntry) => void = () => {};
    const set = handler.set("k", new Promise((resolve) => (end = resolve)));
    const read = handler.get("k", []);
    end(entryOf("late"));
    expect(await textOf(await read)).toBe("late");
    await set;
  });

  it("store nothing of a broken stream or a failed render", async () => {
    const errors: unknown[] = [];
    const handler = nextCacheHandlers(await fresh(), { onError: (error) => errors.push(error) });
    await handler.set("k", Promise.resolve(entryOf("before")));
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array([1]));
        controller.error(new Error("broke"));
      },
    });
    await handler.set("k", Promise.resolve(entryOf("", { value: broken })));
    await handler.set("k", Promise.reject(new Error("failed")));
    expect(errors.map((error) => (error as Error).message)).toEqual(["broke", "failed"]);
    expect(await textOf(await handler.get("k", []))).toBe("before");
  });

  it("end entries at their `expire`", async () => {
    const handler = nextCacheHandlers(await fresh());
    await handler.set("dynamic", Promise.resolve(entryOf("x", { expire: 0 })));
    expect(await handler.get("dynamic", [])).toBe(undefined);
    await handler.set("short", Promise.resolve(entryOf("x", { expire: 0.05 })));
    await handler.set("long", Promise.resolve(entryOf("x", { expire: 0xff_ff_ff_fe })));
    await expect.poll(() => handler.get("short", [])).toBe(undefined);
    expect(await textOf(await handler.get("long", []))).toBe("x");
  });

  it("end the entries with a tag in every process, also those under way", async () => {
    const store = await fresh();
    const [one, two] = [nextCacheHandlers(store), nextCacheHandlers(store)];
    await one.set("a", Promise.resolve(entryOf("a", { tags: ["t", "u"] })));
    await one.set("b", Promise.resolve(entryOf("b")));
    let end: (entry: NextEntry) => void = () => {};
    const begun = entryOf("old", { tags: ["t"] });
    const late = one.set("late", new Promise((resolve) => (end = resolve)));
    await pause(2);
    await two.updateTags(["t", "path"]);
    end(begun);
    await late;
    expect(await one.get("a", [])).toBe(undefined);
    expect(await one.get("late", [])).toBe(undefined);
    expect(await one.get("b", ["path"])).toBe(undefined);
    expect(await textOf(await one.get("b", ["other"]))).toBe("b");
    expect(await one.getExpiration(["path"])).toBe(Infinity);
    await pause(2);
    await one.set("a", Promise.resolve(entryOf("new", { tags: ["t", "u"] })));
    expect(await textOf(await two.get("a", ["path"]))).toBe("new");
  });

  it("make the entries with a tag stale, and absent later", async () => {
    const handler = nextCacheHandlers(await fresh());
    await handler.set("a", Promise.resolve(entryOf("a", { tags: ["t"] })));
    await pause(2);
    await handler.updateTags(["t"], { expire: 0.1 });
    expect((await handler.get("a", []))!.revalidate).toBe(-1);
    // Without `expire`, the end from before stays.
    await handler.updateTags(["t"], {});
    await expect.poll(() => handler.get("a", [])).toBe(undefined);
  });
});

describe.each(INTEGRATION_STORES)("the cacheHandler of Next.js on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`next${prefixes++}:`);
  const handlerOf = (store: Store, build?: string) =>
    new (nextCacheHandler(store))(
      build === undefined
        ? {}
        : { serverDistDir: "/.next/server", fs: { readFile: async () => build } },
    );

  it("gives pages back as they were, with Buffers and Maps", async () => {
    const store = await fresh();
    const page = {
      kind: "APP_PAGE",
      html: "<p>",
      rscData: Buffer.from([0, 128, 255]),
      headers: { "x-next-cache-tags": "a,_N_T_/" },
      status: 200,
      segmentData: new Map([["/_tree", Buffer.from("tree")]]),
    };
    const pages = { kind: "PAGES", html: "", pageData: { $next: "AA==", list: [{ $next: [1] }] } };
    const cacheControl = { revalidate: 60, expire: 3600 };
    const long = `/${"x".repeat(3000)}`;
    await handlerOf(store).set("/", page, { cacheControl });
    await handlerOf(store).set(long, pages, { cacheControl });
    await handlerOf(store).set("/absent", null, { cacheControl });
    const found = (await handlerOf(store).get("/", { kind: "APP_PAGE" }))!;
    expect(found).toMatchObject({ value: page, cacheControl });
    const { rscData, segmentData } = found.value as typeof page;
    expect(Buffer.isBuffer(rscData) && segmentData.get("/_tree")!.toString()).toBe("tree");
    expect((await handlerOf(store).get(long, {}))!.value).toEqual(pages);
    expect((await handlerOf(store).get("/absent", {}))!.value).toBe(null);
    expect(await handlerOf(store).get("/other", {})).toBe(null);
  });

  it("keeps pages of builds apart, and answers of fetch for all", async () => {
    const store = await fresh();
    const [one, two] = [handlerOf(store, "build1"), handlerOf(store, "build2")];
    await one.set("/", { kind: "APP_ROUTE", body: Buffer.from("1") }, {});
    await one.set("f", { kind: "FETCH", data: { body: "1" } }, { fetchCache: true, tags: ["t"] });
    expect(await two.get("/", {})).toBe(null);
    expect(await one.get("/", {})).not.toBe(null);
    expect((await two.get("f", { kind: "FETCH" }))!.value).toEqual({
      kind: "FETCH",
      data: { body: "1" },
    });
    // A build that is not done has no pages.
    const failing = { readFile: () => Promise.reject(new Error("ENOENT")) };
    const building = new (nextCacheHandler(store))({ serverDistDir: "/x", fs: failing });
    await building.set("/", { kind: "APP_ROUTE" }, {});
    expect(await building.get("/", {})).toBe(null);
  });

  it("ends pages and answers of fetch by their tags and paths, in every process", async () => {
    const store = await fresh();
    const [one, two] = [handlerOf(store), handlerOf(store)];
    const fetched = { kind: "FETCH", data: {}, tags: ["t"] };
    const write = async () => {
      await one.set("/", { kind: "APP_PAGE", headers: { "x-next-cache-tags": "t,_N_T_/" } }, {});
      await one.set("f", fetched, { fetchCache: true });
      await pause(2);
    };
    await write();
    await two.revalidateTag("t");
    expect([await one.get("/", {}), await one.get("f", { kind: "FETCH" })]).toEqual([null, null]);
    await pause(2);
    await write();
    await two.revalidateTag(["_N_T_/"]);
    const asked = { kind: "FETCH", softTags: ["_N_T_/"] };
    expect([await one.get("/", {}), await one.get("f", asked)]).toEqual([null, null]);
    expect((await one.get("f", { kind: "FETCH", softTags: [] }))!.value).toEqual(fetched);
    await pause(2);
    await write();
    await two.revalidateTag(["t"], { expire: 60 });
    expect((await one.get("/", {}))!.lastModified).toBe(-1);
  });
});

describe("Next.js", () => {
  it("renders without the cache while the store is down, and rejects revalidations", async () => {
    const store = kv(failingClient() as never);
    const errors: unknown[] = [];
    const options = { onError: (error: unknown) => errors.push(error) };
    const entries = nextCacheHandlers(store, options);
    const pages = new (nextCacheHandler(store, options))({});
    await entries.set("k", Promise.resolve(entryOf("x")));
    await pages.set("/", { kind: "APP_PAGE" }, {});
    expect([await entries.get("k", []), await pages.get("/", {})]).toEqual([undefined, null]);
    expect(errors).toEqual(Array(4).fill(withCode("KV_CONNECTION")));
    await expect(entries.updateTags(["t"])).rejects.toThrow(withCode("KV_CONNECTION"));
    await expect(pages.revalidateTag("t")).rejects.toThrow(withCode("KV_CONNECTION"));
  });

  it("rejects wrong options and clients without compare-and-set at once", () => {
    for (const make of [nextCacheHandlers, nextCacheHandler]) {
      expect(() => make(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
      expect(() => make(kv(), { onError: 5 as never })).toThrow(withCode("KV_INVALID_VALUE"));
      expect(() => make(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
      expect(() => make(kv(plainClient() as never))).toThrow(withCode("KV_NOT_SUPPORTED"));
    }
  });
});
