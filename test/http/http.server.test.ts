import { once } from "node:events";
import { request } from "node:http";
import { createConnection, type Socket } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/api.ts";
import { http } from "../../src/clients/http/index.ts";
import { KvError } from "../../src/errors.ts";
import {
  type KvServer,
  type LogLine,
  serve,
  type ServeOptions,
  spaceOf,
} from "../../src/http/index.ts";
import { MOST_RUNNING, MOST_WAITING } from "../../src/http/space-turns.ts";
import kv from "../../src/index.ts";
import { until } from "../support/daemon.ts";
import { PATIENT } from "../support/patient.ts";

const token = "0123456789abcdef";
const running: KvServer[] = [];
afterEach(async () => void (await Promise.all(running.splice(0).map((server) => server.close()))));

async function start(
  options: Partial<ServeOptions> = {},
  own: Store = kv(new Map()),
): Promise<{ server: KvServer; own: Store; store: Store; lines: LogLine[] }> {
  const lines: LogLine[] = [];
  const server = await serve(own, {
    tokens: [{ token, space: "a" }],
    grace: "2s",
    log: (line) => void lines.push(line),
    ...options,
  });
  running.push(server);
  return { server, own, store: kv(http(server.url, { token }), PATIENT), lines };
}

/** A connection by hand: what it has been sent, and whether it was ended. */
class Raw {
  readonly socket: Socket;
  received = "";
  isOver = false;

  constructor(port: number) {
    this.socket = createConnection(port, "127.0.0.1");
    this.socket.setEncoding("utf8").on("data", (text: string) => (this.received += text));
    this.socket.on("error", () => undefined).on("close", () => (this.isOver = true));
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1]);
  }

  async answered(): Promise<number> {
    await until(
      "there is an answer, or the connection is over",
      () => this.isOver || /\r\n\r\n/.test(this.received),
      20_000,
    );
    return this.status;
  }

  async over(): Promise<void> {
    await until("the connection is over", () => this.isOver, 20_000);
  }
}

const head = (path: string, headers: { readonly [name: string]: string }): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\n${Object.entries({
    "content-type": "application/json",
    authorization: `Bearer ${token}`,
    ...headers,
  })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;

/**
 * Sends `bytes` of a body as fast as they are taken, whatever is answered. Resolves to how many
 * were.
 */
async function flood(raw: Raw, bytes: number, isChunked: boolean): Promise<number> {
  const block = Buffer.alloc(65_536, 0x20);
  let sent = 0;
  while (sent < bytes && !raw.isOver) {
    if (isChunked) raw.socket.write(`${block.length.toString(16)}\r\n`);
    const isFlowing = raw.socket.write(
      isChunked ? Buffer.concat([block, Buffer.from("\r\n")]) : block,
    );
    sent += block.length;
    if (!isFlowing)
      await Promise.race([once(raw.socket, "drain"), once(raw.socket, "close")]).catch(
        () => undefined,
      );
  }
  return sent;
}

const GIGABYTE = 1_000_000_000;

describe("an attacker", () => {
  it.each([
    ["that says its length", { "content-length": String(GIGABYTE) }, 413],
    ["in chunks", { "transfer-encoding": "chunked" }, 413],
    ["without a token", { "transfer-encoding": "chunked", authorization: "Bearer wrong" }, 401],
    ["at a path that is none", { "transfer-encoding": "chunked" }, 404],
  ])(
    "sends a body of 1 GB %s: it is refused while reading, and memory stays flat",
    async (_what, headers, status) => {
      const { server, store } = await start();
      await store.set("a", 1);
      const before = process.memoryUsage().rss;
      const raw = new Raw(server.port);
      raw.socket.write(
        head(status === 404 ? "/v1/nope" : "/v1/set", headers as { [name: string]: string }),
      );
      const sent = await flood(raw, GIGABYTE, "transfer-encoding" in headers);
      expect(await raw.answered()).toBe(status);
      expect(sent).toBeLessThan(20_000_000);
      expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
      await raw.over();
      expect(await store.get("a")).toBe(1);
    },
  );

  it("is told why, though it does not listen at first", async () => {
    const { server, lines } = await start();
    const raw = new Raw(server.port);
    raw.socket.pause();
    raw.socket.write(head("/v1/set", { "content-length": String(GIGABYTE) }));
    raw.socket.write(Buffer.alloc(8_000_000, 0x20));
    await until("it is refused", () => lines.length > 0);
    // Long enough for a connection that was ended at once to be reset.
    const then = performance.now() + 200;
    await until("some time has passed", () => performance.now() > then);
    raw.socket.resume();
    expect(await raw.answered()).toBe(413);
  });

  it("lies about the length of a body", async () => {
    const { server, store } = await start({ bodyTimeout: "300ms" });
    const short = new Raw(server.port);
    short.socket.write(`${head("/v1/set", { "content-length": "100" })}{"writes":[]}`);
    const ended = new Raw(server.port);
    ended.socket.end(`${head("/v1/set", { "content-length": "100" })}{"writes":[]}`);
    const both = new Raw(server.port);
    both.socket.write(
      `${head("/v1/set", { "content-length": "5", "transfer-encoding": "chunked" })}0\r\n\r\n`,
    );
    expect(await both.answered()).toBe(400);
    expect(await short.answered()).toBe(408);
    await ended.over();
    expect(await store.keys()).toEqual([]);
  });

  it.each(["a body", "headers"])("sends %s a byte at a time: it has an end", async (what) => {
    const { server, store } = await start({ bodyTimeout: "500ms" });
    const raw = new Raw(server.port);
    raw.socket.write(
      what === "headers"
        ? "POST /v1/set HTTP/1.1\r\nhost: x\r\nx: "
        : head("/v1/set", { "content-length": "100000" }),
    );
    const dripping = setInterval(() => raw.socket.write("x"), 50);
    const began = performance.now();
    await raw.over();
    clearInterval(dripping);
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(raw.status).toBe(408);
    expect(await store.get("a")).toBe(null);
  });

  it("opens 100 slow connections: others are served meanwhile", async () => {
    const { server, store } = await start({ bodyTimeout: 5 });
    const slow = Array.from({ length: 100 }, () => new Raw(server.port));
    for (const raw of slow) raw.socket.write(`${head("/v1/set", { "content-length": "1000" })}{`);
    await until("all are connected", () =>
      slow.every(({ socket }) => socket.readyState === "open"),
    );
    await store.set("a", 1);
    expect(await store.get("a")).toBe(1);
    for (const { socket } of slow) socket.destroy();
  });

  it("sends invalid HTTP, other targets, and two requests as one", async () => {
    const { server, store } = await start();
    await store.set("a", "secret");
    const texts: [string, number][] = [
      ["\u0016\u0003\u0001\u0002\r\n\r\n", 400],
      ["GET / HTTP/9\r\n\r\n", 400],
      [`POST http://evil.test/v1/get HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 404],
      [`POST //evil.test/v1/get HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 404],
      [`POST /v1%2fget HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 404],
      [`POST /v1/get?x=${token} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 401],
      [`POST /health/../v1/get HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`, 401],
      [`BREW /v1/get HTTP/1.1\r\nhost: x\r\n\r\n`, 400],
      [`TRACE /v1/get HTTP/1.1\r\nhost: x\r\n\r\n`, 405],
      [`GET /v1/get HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, 431],
      [
        head("/v1/get", {
          "content-length": "14",
          authorization: "Bearer x\r\nauthorization: Bearer y",
        }) + '{"keys":["a"]}',
        401,
      ],
    ];
    for (const [text, status] of texts) {
      const raw = new Raw(server.port);
      raw.socket.write(text);
      expect([text.slice(0, 40), await raw.answered()]).toEqual([text.slice(0, 40), status]);
      expect(raw.received).not.toContain("secret");
      raw.socket.destroy();
    }
    // The second request, hidden in the body of one that is refused, is never answered.
    const hidden = `${head("/v1/get", { "content-length": "14" })}{"keys":["a"]}`;
    const smuggled = new Raw(server.port);
    smuggled.socket.write(head("/v1/set", { "content-length": String(GIGABYTE) }) + hidden);
    expect(await smuggled.answered()).toBe(413);
    await smuggled.over();
    expect(smuggled.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await store.get("a")).toBe("secret");
  });

  it("is answered before its body has come, with every method", async () => {
    const { server } = await start();
    for (const method of ["HEAD", "GET", "DELETE"]) {
      const raw = new Raw(server.port);
      raw.socket.write(`${method} /v1/get HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n{`);
      expect(await raw.answered()).toBe(405);
      raw.socket.destroy();
    }
  });

  it("goes away in the middle", async () => {
    const { server, store } = await start();
    for (let i = 0; i < 50; i++) {
      const raw = new Raw(server.port);
      raw.socket.write(`${head("/v1/set", { "content-length": "1000" })}{"writes"`, () =>
        raw.socket.destroy(),
      );
      await raw.over();
    }
    await store.set("a", 1);
    expect(await store.keys()).toEqual(["a"]);
  });
});

describe("a server", () => {
  it("serves 200 requests at once, over SQLite", async () => {
    const own = kv(new DatabaseSync(":memory:"));
    const { store, lines } = await start({}, own);
    await Promise.all(Array.from({ length: 200 }, (_, i) => store.set(`k${i}`, i)));
    expect(await Promise.all(Array.from({ length: 200 }, (_, i) => store.get(`k${i}`)))).toEqual(
      Array.from({ length: 200 }, (_, i) => i),
    );
    expect(lines.length).toBe(400);
    expect(lines.every(({ status, space }) => status === 200 && space === "a")).toBe(true);
    await own.close();
  });

  it("refuses requests of a space when too many wait, and serves the others", async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const own = kv({
      get: (key: string) => (key.includes("{a}") ? released.then(() => null) : null),
      set: () => undefined,
    });
    const other = `${token}2`;
    const { server, lines } = await start(
      {
        tokens: [
          { token, space: "a" },
          { token: other, space: "b" },
        ],
      },
      own,
    );
    const body = '{"keys":["a"]}';
    const text = head("/v1/get", { "content-length": String(body.length) }) + body;
    const MOST = MOST_RUNNING + MOST_WAITING;
    const raws = Array.from({ length: MOST + 20 }, () => {
      const raw = new Raw(server.port);
      raw.socket.write(text);
      return raw;
    });
    await until("some are refused", () => lines.length === 20, 60_000);
    for (const { received } of raws.filter(({ status }) => status > 0))
      expect(received).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 1\r\n[\s\S]*KV_RATE_LIMITED/i);
    expect(await kv(http(server.url, { token: other })).get("a")).toBe(null);
    release();
    for (const raw of raws) await raw.answered();
    // Those that waited too long on a slow machine are refused as well.
    const done = raws.filter(({ status }) => status === 200).length;
    expect(done).toBeGreaterThanOrEqual(MOST_RUNNING);
    expect(done + raws.filter(({ status }) => status === 503).length).toBe(raws.length);
    for (const { socket } of raws) socket.destroy();
  });

  it("tells whether it is up, and whether its store answers", async () => {
    const { server, own } = await start({ base: "/kv" });
    const probe = async (name: string): Promise<number> =>
      (await fetch(`${server.url}/${name}`)).status;
    expect([await probe("health"), await probe("ready"), await probe("other")]).toEqual([
      200, 200, 404,
    ]);
    await own.close();
    expect([await probe("health"), await probe("ready")]).toEqual([200, 503]);
  });

  it("says so when it cannot listen", async () => {
    const { server } = await start();
    await expect(serve(kv(), { tokens: "none", port: server.port })).rejects.toMatchObject({
      code: "KV_CONNECTION",
    });
    for (const options of [
      undefined,
      {},
      ...["http", 65_536, -1, 0.5, NaN].map((port) => ({ tokens: "none", port })),
    ])
      await expect(serve(kv(), options as never)).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      });
  });

  /** A store whose writes wait until they are let go on. */
  function held(): { own: Store; release: () => void; waiting: () => number } {
    let release = (): void => {};
    let waiting = 0;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const data = new Map<string, unknown>();
    const client = {
      get: (key: string) => data.get(key),
      set: async (key: string, value: unknown) => {
        waiting++;
        await gate;
        data.set(key, value);
      },
      *iterate(prefix: string) {
        for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
      },
    };
    return { own: kv(client, { timeout: 0 }), release, waiting: () => waiting };
  }

  it("lets running requests end when it is closed, and accepts no more", async () => {
    const { own, release, waiting } = held();
    const { server, store } = await start({ grace: "20s" }, own);
    const writing = store.set("a", 1);
    await until("the write has arrived", () => waiting() > 0);
    const closing = server.close();
    await expect(kv(http(server.url, { token })).get("a")).rejects.toMatchObject({
      code: "KV_CONNECTION",
    });
    release();
    expect(await writing).toBe("a");
    await closing;
    await server.close();
    expect(await spaceOf(own, "a").get("a")).toBe(1);
  });

  it("ends requests that take longer than its grace", async () => {
    const { own, waiting, release } = held();
    const { server, store } = await start({ grace: "100ms" }, own);
    const writing = store.set("a", 1).catch((error: KvError) => error.code);
    await until("the write has arrived", () => waiting() > 0);
    await server.close();
    expect(await writing).toBe("KV_CONNECTION");
    release();
  });

  it("keeps the connections of a client, and closes while they are open", async () => {
    const { server, store } = await start();
    await store.set("a", 1);
    const idle = new Raw(server.port);
    await once(idle.socket, "connect");
    await server.close();
    await idle.over();
  });
});

describe("a client", () => {
  it("goes on by itself when the server comes back", async () => {
    const own = kv(new Map());
    const first = await serve(own, { tokens: [{ token, space: "a" }] });
    const store = kv(http(first.url, { token }), { timeout: "2s" });
    await store.set("a", 1);
    await first.close();
    for (const work of [
      () => store.get("a"),
      () => store.set("a", 2),
      () => store.commit([], [{ key: "a", value: 2 }]),
      () => store.keys(),
    ])
      await expect(work()).rejects.toMatchObject({ code: "KV_CONNECTION", client: "HTTP" });
    const { server } = await start({ port: first.port }, own);
    expect(server.port).toBe(first.port);
    expect(await store.get("a")).toBe(1);
    await store.set("a", 3);
    expect(await spaceOf(own, "a").get("a")).toBe(3);
  });

  it("makes each commit once, though connections break while it is answered", async () => {
    const { server, store, own } = await start();
    let left = 0;
    let cut = 0;
    // Every second answer to a commit is lost: it is made, and nobody hears of it.
    const broken = kv(
      http(server.url, {
        token,
        fetch: (url, init) => {
          if (!url.endsWith("commit") || left++ % 2 > 0) return fetch(url, init);
          return new Promise((_, reject) => {
            const lost = request(
              url,
              { method: "POST", headers: init.headers as { [name: string]: string } },
              (response) => {
                cut++;
                response.destroy();
                reject(new TypeError("fetch failed"));
              },
            );
            lost.on("error", reject).end(init.body as string);
          });
        },
      }),
    );
    await store.set("sum", 0);
    for (let i = 0; i < 20; i++) {
      const { value, version } = (await broken.entry<number>("sum"))!;
      expect(
        (await broken.commit([{ key: "sum", version }], [{ key: "sum", value: value + 1 }])).ok,
      ).toBe(true);
    }
    expect([await spaceOf(own, "a").get("sum"), cut]).toEqual([20, 20]);
  });
});

/** The events of a stream, as they come. */
async function* events(
  url: string,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<
  { name: string; data: { entries: ({ key: string; value: unknown } | null)[] } },
  void,
  undefined
> {
  const response = await fetch(`${url}/v1/watch`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ keys }),
    signal,
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([
    200,
    "text/event-stream",
  ]);
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (name !== undefined) yield { name, data: JSON.parse(data!) as never };
    }
  }
}

describe("an event stream", () => {
  const valuesOf = ({ data }: { data: { entries: ({ value: unknown } | null)[] } }): unknown[] =>
    data.entries.map((entry) => entry?.value ?? null);

  it("reports the current value, and each change by every operation", async () => {
    const { server, store, own } = await start({ interval: "30ms" });
    const over = new AbortController();
    const stream = events(server.url, ["a", "b\nc"], over.signal);
    const next = async (): Promise<unknown[]> => valuesOf((await stream.next()).value!);
    expect(await next()).toEqual([null, null]);
    await store.set("a", 1);
    expect(await next()).toEqual([1, null]);
    await store.set("other", 1);
    await store.commit([], [{ key: "b\nc", value: "x\n\ny" }]);
    expect(await next()).toEqual([1, "x\n\ny"]);
    await store.del("a");
    expect(await next()).toEqual([null, "x\n\ny"]);
    // Not through this server.
    await spaceOf(own, "a").set("a", 2);
    expect(await next()).toEqual([2, "x\n\ny"]);
    await store.set("a", 3);
    expect(await next()).toEqual([3, "x\n\ny"]);
    await store.touch("a", "50ms");
    // The new deadline may be told as well.
    let found = await next();
    while (found[0] === 3) found = await next();
    expect(found).toEqual([null, "x\n\ny"]);
    await store.clear();
    expect(await next()).toEqual([null, null]);
    over.abort();
    await stream.next().catch(() => undefined);
  });

  it("ends when the server is closed, and when its client goes away", async () => {
    const { server, store } = await start({ limits: { streams: 2 } });
    const one = new AbortController();
    const streams = [
      events(server.url, ["a"], one.signal),
      events(server.url, ["a"], new AbortController().signal),
    ];
    for (const stream of streams) await stream.next();
    const watch = (): Promise<Response> =>
      fetch(`${server.url}/v1/watch`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
        body: '{"keys":["a"]}',
      });
    expect((await watch()).status).toBe(429);
    one.abort();
    await until("there is room for another", async () => {
      const response = await watch();
      await response.body?.cancel();
      return response.status === 200;
    });
    await store.set("a", 1);
    expect(valuesOf((await streams[1]!.next()).value!)).toEqual([1]);
    await server.close();
    expect(await streams[1]!.next()).toEqual({ done: true, value: undefined });
  });

  it("ends with a reason when clients do not read, and memory stays bounded", async () => {
    const { server, own } = await start({
      limits: { valueBytes: Infinity, bodyBytes: Infinity, streams: 10 },
    });
    // More than the buffers of a connection take.
    await spaceOf(own, "a").set("a", "x".repeat(12_000_000));
    const body = '{"keys":["a"]}';
    const text = head("/v1/watch", { "content-length": String(body.length) }) + body;
    const raws: Raw[] = [];
    for (let i = 0; i < 3; i++) {
      const raw = new Raw(server.port);
      raws.push(raw);
      raw.socket.write(text);
      await new Promise((resolve) => raw.socket.once("data", resolve));
      raw.socket.pause();
    }
    const [first, , last] = raws as [Raw, Raw, Raw];
    first.socket.resume();
    await until("the first is over", () => first.received.endsWith("\r\n0\r\n\r\n"), 20_000);
    expect(first.received.slice(-300)).toMatch(/event: error\ndata: .*KV_RATE_LIMITED.*\n\n/);
    // One that reads again goes on.
    last.socket.resume();
    await until("the event is complete", () => last.received.endsWith("\n\n\r\n"), 20_000);
    await spaceOf(own, "a").set("a", "y");
    await until("there is another", () => last.received.includes('"value":"y"'), 20_000);
    for (const { socket } of raws) socket.destroy();
  });

  it("tells when the store fails, and is over then", async () => {
    const { server, own } = await start({ interval: "20ms" });
    const stream = events(server.url, ["a"], new AbortController().signal);
    await stream.next();
    await own.close();
    const { value } = await stream.next();
    expect(value).toMatchObject({ name: "error", data: { error: { code: "KV_CONNECTION" } } });
    expect((await stream.next()).done).toBe(true);
  });
});
