import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { http } from "../../src/clients/http/index.ts";
import { conformance } from "../../src/conformance/index.ts";
import kv from "../../src/index.ts";

// The handler in a worker, with a space for each test; the client is here. All of it is made while
// the worker loads, and shared by all requests.
const program = `
  import kv from "../../src/index.ts";
  import { createHandler, serve } from "../../src/http/index.ts";
  import { versioned } from "../../src/versioned/index.ts";
  const tokens = Array.from({ length: 100 }, (_, i) => ({
    token: "0123456789abcdef-" + i,
    space: "space " + i,
  }));
  const handler = createHandler(kv(new Map()), {
    tokens,
    limits: { valueBytes: Infinity, bodyBytes: Infinity },
  });
  const store = versioned(kv(new Map()));
  const codeOf = (work) => work.then(() => "done", ({ code }) => code);
  const own = {
    "/watch": async () => {
      const reader = store.watch([["key"]], { interval: 60 }).getReader();
      await reader.read();
      const next = reader.read();
      await store.set(["key"], 1);
      return (await next).value[0].value;
    },
    "/built-in": () => Promise.all([
      codeOf(kv("file:///tmp/data.json").set("key", 1)),
      codeOf(kv("file:///tmp/data/").set("key", 1)),
      codeOf(serve(kv(), { tokens: "none" })),
    ]),
  };
  export default {
    async fetch(request) {
      const { pathname } = new URL(request.url);
      return pathname in own ? Response.json(await own[pathname]()) : handler(request);
    },
  };
`;

let worker: Miniflare;
let url: URL;
beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname },
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    write: false,
    logLevel: "error",
  });
  worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate: "2026-07-01",
    compatibilityFlags: ["nodejs_compat"],
  });
  url = await worker.ready;
});
afterAll(() => worker.dispose());

const json = async (path: string): Promise<unknown> => (await fetch(new URL(path, url))).json();

it("is ready in every request, whichever came first", async () => {
  for (let i = 0; i < 3; i++) expect(await json("/ready")).toEqual({ ok: true });
});

it("streams the writes of another request", async () => {
  const post = (operation: string, body: unknown): Promise<Response> =>
    fetch(new URL(`/v1/${operation}`, url), {
      method: "POST",
      headers: { authorization: "Bearer 0123456789abcdef-99", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const events = (await post("watch", { keys: ["key"] }))
    .body!.pipeThrough(new TextDecoderStream())
    .getReader();
  expect((await events.read()).value).toContain('"entries":[null]');
  await post("set", { writes: [{ key: "key", value: "from another" }] });
  expect((await events.read()).value).toContain("from another");
  await events.cancel();
});

it("has a versioned store that all requests share", async () => {
  for (let i = 0; i < 2; i++) expect(await json("/watch")).toBe(1);
});

it("refuses files and servers by our errors, also where there are modules of Node", async () => {
  expect(await json("/built-in")).toEqual([
    "KV_INVALID_CLIENT",
    "KV_INVALID_CLIENT",
    "KV_NOT_SUPPORTED",
  ]);
});

let count = 0;
// What a runtime may do differently. Its clock is its own, so that deadlines are tested elsewhere.
const matters = ({ id }: { id: string }): boolean =>
  ["V1", "K1", "P1", "P5", "A2", "N2"].includes(id);
describe("HTTP over a handler in workerd conforms", () => {
  for (const { name, run } of conformance({
    open: () => kv(http(url, { token: `0123456789abcdef-${count++}` })),
    clock: "real",
    runs: 2,
  }).filter(matters))
    it(name, run);
});
