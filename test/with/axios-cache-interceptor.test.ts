import axios from "axios";
import { buildStorage, setupCache } from "axios-cache-interceptor";
import { describe, expect, it } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import {
  type AxiosCacheOptions,
  axiosCacheStorage,
} from "../../src/with/axios-cache-interceptor/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";
import { serve } from "../support/web-app.ts";

/** A server that tells how often it was asked, and a program with a cache in front of it. */
async function setup() {
  let asked = 0;
  const url = await serve((req, res) => {
    asked++;
    if (req.headers["if-none-match"] === '"one"') return void res.writeHead(304).end();
    const headers = { "content-type": "application/json", etag: '"one"' };
    res.writeHead(req.url === "/fails" && asked > 1 ? 500 : 200, headers);
    res.end(JSON.stringify({ asked }));
  });
  const program = (store: Store, options: AxiosCacheOptions = {}, ttl = 60_000) =>
    setupCache(axios.create({ baseURL: url }), {
      storage: buildStorage(axiosCacheStorage(store, options)),
      ttl,
      interpretHeader: false,
    });
  return { program, asked: () => asked };
}

let prefixes = 0;

describe.each(INTEGRATION_STORES)("axios-cache-interceptor on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`axios${prefixes++}:`);

  it("gives a response to the next program", async () => {
    const [store, { program, asked }] = [await fresh(), await setup()];
    const one = await program(store, { prefix: "http:" }).get("/");
    const two = await program(store, { prefix: "http:" }).get("/");
    expect([one.cached, two.cached]).toEqual([false, true]);
    expect(two.data).toEqual(one.data);
    expect(asked()).toBe(1);
    const [key] = await store.prefix("http:").keys();
    const { expires } = (await store.entry(`http:${key!}`))!;
    expect(expires! - Date.now()).toBeGreaterThan(3_600_000);
    expect(expires! - Date.now()).toBeLessThanOrEqual(3_660_000);
  });

  it("sends concurrent requests once, and revalidates stale ones", async () => {
    const [store, { program, asked }] = [await fresh(), await setup()];
    const client = program(store, {}, 1);
    const all = await Promise.all([client.get("/"), client.get("/"), client.get("/")]);
    expect(asked()).toBe(1);
    expect(new Set(all.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    await expect.poll(async () => (await client.get("/"), asked())).toBeGreaterThan(1);
    expect((await client.get("/")).data).toEqual({ asked: 1 });
  });

  it("sends a request again whose process died while it was loading", async () => {
    const [store, { program }] = [await fresh(), await setup()];
    const client = program(store, { loading: "60ms" });
    await client.storage.set("dead", { state: "loading", previous: "empty" });
    expect((await store.entry("dead"))!.expires! - Date.now()).toBeLessThanOrEqual(60);
    await expect.poll(async () => (await client.storage.get("dead")).state).toBe("empty");
    expect((await client.get("/", { id: "dead" })).cached).toBe(false);
    expect((await client.get("/", { id: "dead" })).cached).toBe(true);
    await client.storage.remove("dead");
    expect(await store.keys()).toEqual([]);
  });

  it("clears its prefix alone", async () => {
    const [store, { program }] = [await fresh(), await setup()];
    await store.set("other", 1);
    const client = program(store, { prefix: "http:" });
    await client.get("/");
    await client.storage.clear!();
    expect(await store.keys()).toEqual(["other"]);
  });
});

describe("axios-cache-interceptor", () => {
  it("keeps bytes with the rich codec", async () => {
    const { program } = await setup();
    const client = program(kv(new Map(), { codec: rich }) as Store);
    const load = () => client.get<ArrayBuffer>("/", { responseType: "arraybuffer" });
    const bytesOf = async () => Buffer.from((await load()).data).toString();
    expect(await bytesOf()).toBe('{"asked":1}');
    expect(await bytesOf()).toBe('{"asked":1}');
  });

  it("answers every request for bytes that the store rejects", async () => {
    const { program, asked } = await setup();
    const errors: unknown[] = [];
    const client = program(kv(new Map()), { onError: (error) => errors.push(error) });
    const load = () => client.get("/", { responseType: "arraybuffer" });
    await Promise.all([load(), load()]);
    await load();
    expect(asked()).toBe(3);
    expect(errors).toEqual([1, 2, 3].map(() => withCode("KV_INVALID_VALUE")));
  });

  it("answers every request of a store that goes down while they load", async () => {
    const client = failingClient();
    client.isDown = false;
    let asked = 0;
    const url = await serve((_req, res) => {
      client.isDown = asked++ === 0;
      res.end("{}");
    });
    const errors: unknown[] = [];
    const storage = axiosCacheStorage(kv(client as never), {
      onError: (error) => errors.push(error),
    });
    const program = setupCache(axios.create({ baseURL: url }), { storage: buildStorage(storage) });
    const answers = await Promise.all([program.get("/"), program.get("/")]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(errors[0]).toEqual(withCode("KV_CONNECTION"));
    client.isDown = false;
    expect((await program.get("/")).status).toBe(200);
  });

  it("answers requests without the cache while the store is down", async () => {
    const { program, asked } = await setup();
    const errors: unknown[] = [];
    const store = kv(failingClient() as never);
    const client = program(store, { onError: (error) => errors.push(error) });
    expect([(await client.get("/")).cached, (await client.get("/")).cached]).toEqual([
      false,
      false,
    ]);
    expect(asked()).toBe(2);
    expect(errors[0]).toEqual(withCode("KV_CONNECTION"));
  });

  it("rejects wrong options at once", () => {
    expect(() => axiosCacheStorage(kv(), { ttl: 5 } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => axiosCacheStorage(kv(), { onError: "log" } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => axiosCacheStorage(kv(), { loading: 0 })).toThrow(withCode("KV_INVALID_EXPIRES"));
    expect(() => axiosCacheStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
