import { expect, it } from "vitest";
import type { Store } from "../../../src/api.ts";
import { http } from "../../../src/clients/http/index.ts";
import { KvError } from "../../../src/errors.ts";
import { createHandler, spaceOf } from "../../../src/http/index.ts";
import kv from "../../../src/index.ts";
import { connect } from "../../../src/versioned/index.ts";
import { freePorts } from "../../support/daemon.ts";
import { eventually } from "../../support/eventually.ts";

type Fetch = (url: string, init: RequestInit) => Promise<Response>;
const token = "0123456789abcdef";

/**
 * A client of a server in this process. `between` stands for the network: it may lose what it is
 * given, in either direction.
 */
function through(
  between: (
    send: () => Promise<Response>,
    operation: string,
    init: RequestInit,
  ) => Promise<Response>,
): { store: Store; data: Store; sent: { [operation: string]: number } } {
  const own = kv(new Map());
  const handler = createHandler(own, { tokens: [{ token, space: "a" }] });
  const sent: { [operation: string]: number } = {};
  const fetch: Fetch = (url, init) => {
    const operation = url.split("/").at(-1)!;
    sent[operation] = (sent[operation] ?? 0) + 1;
    return between(() => handler(new Request(url, init)), operation, init);
  };
  return { store: kv(http("http://kv.test", { token, fetch })), data: spaceOf(own, "a"), sent };
}

const refusal = (work: Promise<unknown>): Promise<KvError> =>
  work.then(
    () => expect.unreachable(),
    (error: KvError) => error,
  );
const lost = (code: string): TypeError =>
  new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });

it("makes a commit once whose answer was lost, and tells its version", async () => {
  let left = 2;
  const { store, data, sent } = through(async (send) => {
    const response = await send();
    if (left-- > 0) throw lost("ECONNRESET");
    return response;
  });
  const made = await store.commit([{ key: "n", version: null }], [{ key: "n", value: 1 }]);
  expect(made).toEqual({ ok: true, version: (await data.entry("n"))!.version });
  expect(sent).toEqual({ commit: 3 });
  // The next one is another.
  expect(await store.commit([{ key: "n", version: null }], [{ key: "n", value: 2 }])).toEqual({
    ok: false,
    failed: ["n"],
  });
});

it("sends a commit again that was lost on the way, up to two times", async () => {
  let left = 2;
  const { store, sent } = through(async (send) => {
    if (left-- > 0) throw lost("ECONNRESET");
    return send();
  });
  expect((await store.commit([], [{ key: "n", value: 1 }])).ok).toBe(true);
  left = 3;
  expect((await refusal(store.commit([], [{ key: "n", value: 2 }]))).code).toBe("KV_CONNECTION");
  expect(sent).toEqual({ commit: 6 });
  expect(await store.get("n")).toBe(1);
});

it.each([502, 503, 504])("reads again on %i", async (status) => {
  let left = 2;
  const { store, sent } = through(async (send) =>
    left-- > 0 ? new Response("<html>", { status }) : send(),
  );
  expect(await store.get("a")).toBe(null);
  left = 3;
  const error = await refusal(store.has("a"));
  expect([error.code, error.client]).toEqual(["KV_CONNECTION", "HTTP"]);
  expect(error.message).toContain(String(status));
  expect(sent).toEqual({ get: 6 });
});

it("reads again when the network fails, in each way to read", async () => {
  let isUp = true;
  const { store, sent } = through(async (send) => {
    isUp = !isUp;
    if (isUp) return send();
    throw lost("ECONNRESET");
  });
  expect([
    await store.get("a"),
    await store.has("a"),
    await store.getMany(["a", "b"]),
    await store.keys(),
  ]).toEqual([null, false, [null, null], []]);
  expect(sent).toEqual({ get: 6, list: 2 });
});

it("never repeats a write that may have arrived, and repeats one that has not", async () => {
  let code = "ECONNRESET";
  let left = Infinity;
  const { store, sent } = through(async (send) => {
    if (left-- > 0) throw lost(code);
    return send();
  });
  const writes = {
    set: () => store.set("a", 1),
    del: () => store.del("a"),
    setMany: () => store.setMany([["a", 1]]),
    touch: () => store.touch("a", 1),
    clear: () => store.clear(),
    prune: () => store.prune(),
  };
  for (const write of Object.values(writes))
    expect((await refusal(write())).code).toBe("KV_CONNECTION");
  expect(sent).toEqual({ set: 3, touch: 1, clear: 1, prune: 1 });
  code = "ECONNREFUSED";
  left = 2;
  await store.set("a", 1);
  expect(await store.get("a")).toBe(1);
  left = 3;
  await refusal(store.touch("a", 1));
  expect(sent).toEqual({ set: 6, get: 1, touch: 4, clear: 1, prune: 1 });
});

it("does not write again on 503, and does not send a refused request again", async () => {
  const { store, sent } = through(
    async () =>
      new Response('{"error":{"code":"KV_CONNECTION","message":"away"}}', { status: 503 }),
  );
  expect((await refusal(store.set("a", 1))).message).toBe("away");
  expect(sent).toEqual({ set: 1 });
  const limited = through(
    async () => new Response('{"error":{"code":"KV_RATE_LIMITED","message":"m"}}', { status: 429 }),
  );
  expect((await refusal(limited.store.get("a"))).code).toBe("KV_RATE_LIMITED");
  expect(limited.sent).toEqual({ get: 1 });
  // A server that is busy gets no more of the same.
  const busy = through(
    async () => new Response('{"error":{"code":"KV_RATE_LIMITED","message":"m"}}', { status: 503 }),
  );
  expect((await refusal(busy.store.get("a"))).code).toBe("KV_RATE_LIMITED");
  expect(busy.sent).toEqual({ get: 1 });
});

it("ends by the timeout of the store without an answer", async () => {
  const store = kv(http("http://kv.test", { token, fetch: () => new Promise(() => {}) }), {
    timeout: "20ms",
  });
  for (const work of [
    store.get("a"),
    store.set("a", 1),
    store.commit([], [{ key: "a", value: 1 }]),
    store.keys(),
  ])
    expect((await refusal(work)).code).toBe("KV_CONNECTION");
});

it("ends pending requests when it is closed", async () => {
  const store = kv(
    http("http://kv.test", {
      fetch: (_url, { signal }) =>
        new Promise((_, reject) =>
          signal!.addEventListener("abort", () => reject(signal!.reason as Error)),
        ),
    }),
    { timeout: 0 },
  );
  const works = [store.get("a"), store.set("a", 1), store.commit([], [{ key: "a", value: 1 }])].map(
    refusal,
  );
  await eventually(() => store.type).toBe("HTTP");
  await store.get("").catch(() => {});
  await store.close();
  for (const error of await Promise.all(works)) expect(error.code).toBe("KV_CLOSED");
});

it.each([
  ["a page of somebody else", () => new Response("<html>secret</html>")],
  [
    "a redirect",
    () => new Response(null, { status: 302, headers: { location: "http://evil.test/" } }),
  ],
  ["a list", () => new Response("[]")],
  ["entries that are none", () => new Response('{"entries":[1]}')],
  ["too many entries", () => new Response('{"entries":[null,null]}')],
  ["no entries", () => new Response('{"entries":[]}')],
  ["an error of another form", () => new Response('{"error":"KV_NOPE"}', { status: 400 })],
  [
    "a code that is none",
    () => new Response('{"error":{"code":"__proto__","message":"m"}}', { status: 400 }),
  ],
])("takes %s for a connection that is wrong", async (_what, answer) => {
  let requests = 0;
  const store = kv(http("http://kv.test", { fetch: async () => (requests++, answer()) }));
  const error = await refusal(store.get("a"));
  expect([error.code, requests]).toEqual(["KV_CONNECTION", 1]);
  expect(error.message).not.toContain("secret");
});

it("sends the token in a header, follows no redirect, and uses the body otherwise", async () => {
  const requests: [string, RequestInit][] = [];
  const fetch: Fetch = async (url, init) => (
    requests.push([url, init]),
    new Response('{"entries":[null]}')
  );
  await kv(
    http(new URL("https://kv.test/base//"), { token, headers: { "x-more": "1" }, fetch }),
  ).get("../key?a#b");
  const [[url, init]] = requests as [[string, RequestInit]];
  expect(url).toBe("https://kv.test/base/v1/get");
  expect(init).toMatchObject({
    method: "POST",
    redirect: "manual",
    headers: {
      authorization: `Bearer ${token}`,
      "x-more": "1",
      "content-type": "application/json",
    },
  });
  expect(JSON.parse(init.body as string)).toEqual({ keys: ["../key?a#b"], values: true });
});

it.each([
  "https://user:secret@kv.test",
  "https://kv.test/?token=secret",
  "https://kv.test/#secret",
  "http://[secret",
])("refuses %s without showing it", async (url) => {
  const error = await refusal(kv(url as never).get("a"));
  expect(error.code).toBe("KV_INVALID_CLIENT");
  expect(error.message).not.toContain("secret");
});

it.each(["", "a b", "a\r\nx-admin: 1", "é", 1])(
  "refuses the token %j without showing it",
  async (wrong) => {
    const error = await refusal(
      kv(http("http://kv.test", { token: wrong as string, fetch: () => expect.unreachable() })).get(
        "a",
      ),
    );
    expect(error.code).toBe("KV_INVALID_CLIENT");
  },
);

it("writes many in requests that a server takes, and reads them back", async () => {
  const sizes: number[] = [];
  const { store, sent } = through(async (send, _operation, { body }) => {
    sizes.push(new TextEncoder().encode(body as string).length);
    return send();
  });
  const small = Array.from({ length: 2500 }, (_, i): [string, number] => [`small ${i}`, i]);
  const large = Array.from({ length: 200 }, (_, i): [string, string] => [
    `large ${i}`,
    "é".repeat(8000),
  ]);
  await store.setMany(small);
  expect(sent).toEqual({ set: 3 });
  await store.setMany(large);
  expect(await store.getMany(small.map(([key]) => key))).toEqual(small.map(([, value]) => value));
  expect(await store.getMany(large.map(([key]) => key))).toEqual(large.map(([, value]) => value));
  expect((await store.entries()).length).toBe(2700);
  expect(Math.max(...sizes)).toBeLessThan(600_000);
});

it("names the cause of a failed fetch()", async () => {
  const [port] = await freePorts(1);
  const store = kv(`http://127.0.0.1:${port}`);
  expect((await refusal(store.get("a"))).message).toBe(
    `HTTP (127.0.0.1:${port}): reading "a" failed (ECONNREFUSED): see the cause`,
  );
  expect((await refusal(store.keys())).message).toBe(
    `HTTP (127.0.0.1:${port}): listing failed (ECONNREFUSED): see the cause`,
  );
});

it("is told by a URL, as an object or a text", () => {
  for (const url of ["http://localhost:1", "HTTPS://kv.test/base", new URL("https://kv.test")])
    expect(kv(url as never).type).toBe("HTTP");
  for (const other of ["httpx://a", "ftp://a", "http:/a"])
    expect(() => kv(other as never)).toThrow(
      expect.objectContaining({ code: "KV_UNKNOWN_CLIENT" }),
    );
});

it("connect() rejects missing options at once, and sends the region", async () => {
  for (const options of [
    undefined,
    {},
    { url: "http://a" },
    { accessToken: token },
    { url: "", accessToken: token },
    { url: "file:///a", accessToken: token },
    { url: "http://a", accessToken: "" },
  ]) {
    expect(() => connect(options as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }),
    );
  }
  const regions: unknown[] = [];
  const fetch: Fetch = async (_url, { headers }) => (
    regions.push((headers as { [name: string]: string })["x-region"]),
    new Response('{"entries":[null]}')
  );
  for (const region of [undefined, "us-east-1"])
    await connect({ url: "http://a", accessToken: token, fetch, ...(region && { region }) }).get([
      "a",
    ]);
  expect(regions).toEqual(["eu-central-1", "us-east-1"]);
});

it("connect() refuses values above 16 KB before they are sent", async () => {
  const { store } = through((send) => send());
  const handler = createHandler(store, {
    tokens: [{ token, space: "b" }],
    limits: { valueBytes: 20_000 },
  });
  const remote = connect({
    url: "http://kv.test",
    accessToken: token,
    fetch: (url, init) => handler(new Request(url, init)),
  });
  await remote.set(["a"], "x".repeat(16_382));
  expect((await refusal(remote.set(["a"], "x".repeat(16_383)))).code).toBe("KV_TOO_LARGE");
  expect((await remote.get<string>(["a"])).value!.length).toBe(16_382);
});
