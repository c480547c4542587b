import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, type Dispatcher, interceptors, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { type UndiciCacheKey, undiciCacheStore } from "../../src/with/undici/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

// It answers with how often it was asked.
let asked = 0;
const answer = (req: IncomingMessage): { [name: string]: string } => {
  const path = req.url!.split("?")[0]!;
  if (path === "/vary") return { "cache-control": "max-age=60", vary: "accept-language" };
  if (path === "/short") return { "cache-control": "max-age=1" };
  if (path === "/etag") return { "cache-control": "max-age=0, must-revalidate", etag: '"one"' };
  return { "cache-control": "max-age=60" };
};
const server = createServer((req, res) => {
  asked++;
  if (req.headers["if-none-match"] === '"one"') return void res.writeHead(304).end();
  res.writeHead(200, { "content-type": "application/octet-stream", ...answer(req) });
  res.write(Buffer.from([0, 255]));
  res.end(` ${req.method} ${req.headers["accept-language"] ?? ""}`);
});
let origin = "";
beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

/** A program with a cache. It tells the body, and whether the server was asked. */
function program(store: Store) {
  const cache = undiciCacheStore(store, { prefix: "http:" });
  const dispatcher = new Agent().compose(interceptors.cache({ store: cache as never }));
  const send = async (
    path: string,
    headers: { [name: string]: string } = {},
    method: Dispatcher.HttpMethod = "GET",
  ) => {
    const before = asked;
    const { body } = await request(origin + path, { dispatcher, headers, method });
    const bytes = Buffer.from(await body.arrayBuffer());
    return { bytes, text: bytes.subarray(3).toString(), isCached: asked === before };
  };
  return { send, cache, close: () => dispatcher.close() };
}

let paths = 0;

describe.each(INTEGRATION_STORES)("the cache of undici on %s", (_, open) => {
  it("gives a response to the next program, byte for byte", async () => {
    const store = await open();
    const path = `/plain?${paths++}`;
    const one = program(store);
    const first = await one.send(path);
    expect(first.isCached).toBe(false);
    await expect.poll(async () => (await one.send(path)).isCached).toBe(true);
    const two = program(store);
    const second = await two.send(path);
    expect(second.isCached).toBe(true);
    expect(second.bytes).toEqual(first.bytes);
    await Promise.all([one.close(), two.close()]);
  });

  it("keeps responses that vary apart", async () => {
    const { send, close } = program(await open());
    const path = `/vary?${paths++}`;
    const texts = async (language: string) => await send(path, { "accept-language": language });
    await texts("de");
    await texts("fr");
    await expect.poll(async () => (await texts("de")).isCached).toBe(true);
    await expect.poll(async () => (await texts("fr")).isCached).toBe(true);
    expect((await texts("de")).text).toBe("GET de");
    expect((await texts("fr")).text).toBe("GET fr");
    expect((await send(path)).isCached).toBe(false);
    await close();
  });

  it("forgets a URL after an unsafe request, with its variants", async () => {
    const { send, close } = program(await open());
    const path = `/vary?${paths++}`;
    await send(path, { "accept-language": "de" });
    await expect
      .poll(async () => (await send(path, { "accept-language": "de" })).isCached)
      .toBe(true);
    await send(path, {}, "POST");
    expect((await send(path, { "accept-language": "fr" })).isCached).toBe(false);
    expect((await send(path, { "accept-language": "de" })).isCached).toBe(false);
    await close();
  });

  it("revalidates with the etag", async () => {
    const { send, close } = program(await open());
    const path = `/etag?${paths++}`;
    const { bytes } = await send(path);
    const again = await send(path);
    expect(again.isCached).toBe(false);
    expect(again.bytes).toEqual(bytes);
    await close();
  });

  it("sees a write that has ended, and ends at deleteAt", async () => {
    const { cache, close } = program(await open());
    const key: UndiciCacheKey = { origin, method: "GET", path: `/direct?${paths++}`, headers: {} };
    const now = Date.now();
    const value = {
      statusCode: 200,
      statusMessage: "OK",
      headers: { a: ["b", "c"] },
      cacheControlDirectives: { "max-age": 1 },
      cachedAt: now,
      staleAt: now + 100,
      deleteAt: now + 300,
    };
    cache.createWriteStream(key, value).end("body");
    expect(await cache.get(key)).toEqual({ ...value, body: Buffer.from("body") });
    await expect.poll(() => cache.get(key)).toBe(undefined);
    await close();
  });
});

describe("the cache of undici", () => {
  it("asks the origin while the store is down", async () => {
    const errors: unknown[] = [];
    const store = undiciCacheStore(kv(failingClient() as never), {
      onError: (error) => void errors.push(error),
    });
    const dispatcher = new Agent().compose(interceptors.cache({ store: store as never }));
    for (const method of ["GET", "POST", "GET"] as const) {
      const { body } = await request(`${origin}/down`, { dispatcher, method });
      expect((await body.text()).length).toBeGreaterThan(3);
    }
    await expect.poll(() => errors).toContainEqual(withCode("KV_CONNECTION"));
    await dispatcher.close();
  });

  it("rejects wrong options at once", () => {
    expect(() => undiciCacheStore(kv(), { maxSize: 5 } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => undiciCacheStore(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
