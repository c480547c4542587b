import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import type { Store } from "../../src/api.ts";
import { http } from "../../src/clients/http/index.ts";
import type { KvError } from "../../src/errors.ts";
import {
  createHandler,
  FREE_TIER,
  type HandlerOptions,
  type LogLine,
  spaceOf,
} from "../../src/http/index.ts";
import kv from "../../src/index.ts";
import type { Fetch } from "../../src/clients/http/calls.ts";
import { connect } from "../../src/versioned/index.ts";

const token = "0123456789abcdef";
type Handler = (request: Request) => Promise<Response>;

const refusal = (work: Promise<unknown>): Promise<KvError> =>
  work.then(
    () => expect.unreachable(),
    (error: KvError) => error,
  );
const code = async (work: Promise<unknown>): Promise<string> => (await refusal(work)).code;
const clientOf = (handler: Handler, as = token): Store =>
  kv(http("http://kv.test", { token: as, fetch: (url, init) => handler(new Request(url, init)) }));
const send = (
  handler: Handler,
  path: string,
  body: unknown,
  headers: { [name: string]: string } = {},
  method = "POST",
): Promise<Response> =>
  handler(
    new Request(`http://kv.test${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
      ...(method === "POST"
        ? { body: typeof body === "string" ? body : JSON.stringify(body) }
        : {}),
    }),
  );

describe("tokens", () => {
  it("open their own space, and nothing of another's", async () => {
    const names = [
      "a",
      "a/",
      "a/d",
      "a}/d/x",
      "{a",
      "%2F",
      "A",
      "../a",
      "d",
      "\u0000",
      "é",
      "__proto__",
    ];
    const own = kv(new Map());
    const handler = createHandler(own, {
      tokens: names.map((space, i) => ({ token: `${token}${i}`, space })),
    });
    const clients = names.map((_, i) => clientOf(handler, `${token}${i}`));
    // Keys that would lead into another space if anybody took them for a path.
    const keys = [
      "k",
      "../k",
      "/",
      "d/k",
      "space/{a}/d/k",
      "../../{a}/d/k",
      "}/d/k",
      "%2e%2e/k",
      "\u0000",
      "bytes",
      "commit/x",
      "__proto__",
      "\r\nx: y",
    ];
    for (const [i, client] of clients.entries()) await client.setMany(keys.map((key) => [key, i]));
    for (const [i, client] of clients.entries()) {
      expect([...(await client.keys())].sort()).toEqual([...keys].sort());
      expect(await client.getMany(keys)).toEqual(keys.map(() => i));
      expect((await client.list({ prefix: "" })).entries.length).toBe(keys.length);
    }
    expect(names.length * keys.length).toBe((await own.keys()).length);
    await clients[0]!.clear();
    for (const [i, client] of clients.entries())
      expect((await client.keys()).length).toBe(i === 0 ? 0 : keys.length);
    expect(await spaceOf(own, "a/").get("../k")).toBe(1);
  });

  it("are only taken from the header", async () => {
    const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "a" }] });
    const body = { keys: ["a"] };
    const without = { authorization: "" };
    expect((await send(handler, "/v1/get", body)).status).toBe(200);
    expect(
      (
        await send(
          handler,
          `/v1/get?token=${token}&access_token=${token}&authorization=Bearer%20${token}`,
          body,
          without,
        )
      ).status,
    ).toBe(401);
    expect((await send(handler, "/v1/get", { ...body, token }, without)).status).toBe(401);
    expect(
      (
        await send(handler, "/v1/get", body, {
          ...without,
          cookie: `token=${token}`,
          "x-access-token": token,
        })
      ).status,
    ).toBe(401);
    for (const wrong of [
      token,
      `Basic ${token}`,
      "Bearer",
      "Bearer ",
      `Bearer ${token} `.repeat(2),
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token},${token}`,
      `Bearer ${token.toUpperCase()}`,
    ]) {
      const response = await send(handler, "/v1/get", body, { authorization: wrong });
      expect([wrong, response.status, response.headers.get("www-authenticate")]).toEqual([
        wrong,
        401,
        "Bearer",
      ]);
    }
    expect(
      (await send(handler, "/v1/get", body, { authorization: `bearer ${token}` })).status,
    ).toBe(200);
  });

  it("are all compared to the end, whichever it is", async () => {
    const looks: number[] = [];
    const from = vi.spyOn(Uint8Array, "from").mockImplementation(((
      source: ArrayLike<number>,
      map: (item: unknown, i: number) => number,
    ) => {
      const me = looks.push(0) - 1;
      const digest = new Uint8Array(Array.from(source, map));
      return new Proxy(digest, {
        get: (target, name) => (
          typeof name === "string" && /^\d+$/.test(name) && looks[me]!++,
          Reflect.get(target, name) as unknown
        ),
      });
    }) as never);
    const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
    const handler = createHandler(kv(new Map()), {
      tokens: Array.from({ length: 20 }, (_, i) => ({
        hash: hashOf(`${token}${i}`),
        space: `s${i}`,
      })),
    });
    from.mockRestore();
    for (const [as, status] of [
      [`${token}0`, 200],
      [`${token}19`, 200],
      ["wrong", 401],
    ] as const) {
      looks.fill(0);
      expect(
        (await send(handler, "/v1/get", { keys: [] }, { authorization: `Bearer ${as}` })).status,
      ).toBe(status);
      expect(looks).toEqual(Array.from({ length: 20 }, () => 32));
    }
  });

  it("may be given by their hashes, and are nowhere to be found afterwards", async () => {
    const hash = createHash("sha256").update(token).digest("hex");
    const handler = createHandler(kv(new Map()), { tokens: [{ hash, space: "a" }] });
    await clientOf(handler).set("a", 1);
    expect(await code(clientOf(handler, hash).get("a"))).toBe("KV_UNAUTHORIZED");
  });

  it("share a space, some of them only for reading", async () => {
    const reader = "fedcba9876543210";
    const handler = createHandler(kv(new Map()), {
      tokens: [
        { token, space: "a" },
        { token: reader, space: "a", readOnly: true },
      ],
    });
    const [store, readOnly] = [clientOf(handler), clientOf(handler, reader)];
    await store.set("a", 1);
    expect([await readOnly.get("a"), await readOnly.keys()]).toEqual([1, ["a"]]);
    const writes = [
      () => readOnly.set("a", 2),
      () => readOnly.del("a"),
      () => readOnly.touch("a", 1),
      () => readOnly.clear(),
      () => readOnly.prune(),
      () => readOnly.commit([], [{ key: "a", value: 2 }]),
    ];
    for (const write of writes) expect(await code(write())).toBe("KV_UNAUTHORIZED");
    expect(await store.get("a")).toBe(1);
  });

  it("have to be there, unless it is said that none is asked for", async () => {
    const wrong = [
      undefined,
      [],
      "all",
      {},
      [{}],
      [null],
      [{ token }],
      [{ space: "a" }],
      [{ token: "short", space: "a" }],
      [{ token: `${token} x`, space: "a" }],
      [{ token, space: "" }],
      [{ token, hash: "0".repeat(64), space: "a" }],
      [{ hash: "x", space: "a" }],
      [{ token, space: "\ud800" }],
    ];
    for (const tokens of wrong)
      expect(() => createHandler(kv(), { tokens } as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
    for (const options of [undefined, null])
      expect(() => createHandler(kv(), options as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
    expect(() => createHandler({} as never, { tokens: "none" })).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
    const store = kv(
      http("http://kv.test", {
        fetch: (
          (handler) => (url, init) =>
            handler(new Request(url, init))
        )(createHandler(kv(new Map()), { tokens: "none" })),
      }),
    );
    await store.set("a", 1);
    expect(await store.get("a")).toBe(1);
  });
});

describe("limits", () => {
  const tokens = [{ token, space: "a" }];

  it("are refused when they are none", () => {
    for (const limits of [
      { valueBytes: 0 },
      { valueBytes: NaN },
      { bodyBytes: "1MB" },
      { valueByte: 1 },
      { requestsPerSecond: -1 },
    ]) {
      expect(() => createHandler(kv(), { tokens, limits: limits as never })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
      expect(() =>
        createHandler(kv(), { tokens: [{ token, space: "a", limits: limits as never }] }),
      ).toThrow(expect.objectContaining({ code: "KV_INVALID_VALUE" }));
    }
  });

  it("let a number of requests through in a second", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const handler = createHandler(kv(new Map()), {
        tokens: [...tokens, { token: `${token}2`, space: "a" }],
        limits: { requestsPerSecond: 5 },
      });
      const store = clientOf(handler);
      const outcomes = async (): Promise<string[]> =>
        Promise.all(
          Array.from({ length: 10 }, () =>
            store.get("a").then(
              () => "ok",
              (error: KvError) => error.code,
            ),
          ),
        );
      expect((await outcomes()).filter((each) => each === "ok").length).toBe(5);
      const response = await send(handler, "/v1/get", { keys: ["a"] });
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, "1"]);
      // Another token has its own.
      expect(await clientOf(handler, `${token}2`).get("a")).toBe(null);
      vi.advanceTimersByTime(400);
      expect((await outcomes()).filter((each) => each === "ok").length).toBe(2);
      vi.advanceTimersByTime(3_600_000);
      expect((await outcomes()).filter((each) => each === "ok").length).toBe(5);
      expect((await outcomes())[0]).toBe("KV_RATE_LIMITED");
    } finally {
      vi.useRealTimers();
    }
  });

  it("count the operations of a month in the store, exactly, also of many at once", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2027, 0, 31, 12) });
    try {
      const own = kv(new Map());
      const options: HandlerOptions = { tokens, limits: { operationsPerMonth: 100 } };
      const [one, two] = [
        clientOf(createHandler(own, options)),
        clientOf(createHandler(own, options)),
      ];
      const outcomes = await Promise.all(
        Array.from({ length: 150 }, (_, i) =>
          (i % 2 ? one : two).set(`k${i}`, i).then(
            () => "ok",
            (error: KvError) => error.code,
          ),
        ),
      );
      expect(outcomes.filter((each) => each === "ok").length).toBe(100);
      expect(outcomes.filter((each) => each === "KV_RATE_LIMITED").length).toBe(50);
      expect((await spaceOf(own, "a").keys()).length).toBe(100);
      const response = await send(createHandler(own, options), "/v1/get", { keys: ["a"] });
      expect([response.status, response.headers.get("retry-after")]).toEqual([
        429,
        String(12 * 3600),
      ]);
      vi.setSystemTime(Date.UTC(2027, 1, 1));
      expect(await one.get("k0")).toBe(0);
      // One each, but for the pages of a listing: as many as they hold.
      expect((await one.keys()).length).toBe(100);
      expect(await code(one.get("k0"))).toBe("KV_RATE_LIMITED");
    } finally {
      vi.useRealTimers();
    }
  });

  it("count some operations ahead while many are left, and none too many", async () => {
    const data = new Map<string, unknown>();
    let writes = 0;
    const own = kv({
      get: (key: string) => data.get(key),
      set: (key: string, value: unknown) => (writes++, void data.set(key, value)),
    });
    const options: HandlerOptions = { tokens, limits: { operationsPerMonth: 20_000 } };
    const counted = async (): Promise<number> => {
      const month = new Date().toISOString().slice(0, 7);
      return (await own.prefix("space/{a}/operations/").get(month)) as number;
    };
    const store = clientOf(createHandler(own, options));
    for (let i = 0; i < 1000; i++) await store.get("a");
    expect(writes).toBeLessThan(50);
    expect(await counted()).toBeGreaterThanOrEqual(1000);
    expect(await counted()).toBeLessThanOrEqual(1080);
    // A server that starts again loses those; near the limit, each is counted by itself.
    const again = clientOf(createHandler(own, options));
    let left = 20_000 - (await counted());
    for (; left >= 1000; left -= 1000) await again.getMany(Array.from({ length: 1000 }, () => "a"));
    for (; left > 0; left--) await again.get("a");
    expect(await code(again.get("a"))).toBe("KV_RATE_LIMITED");
    expect(await counted()).toBe(20_000);
  });

  it("count the bytes of a space exactly under concurrent writes", async () => {
    // A client that takes its time, never the same, so that the two servers meet in every way.
    const data = new Map<string, unknown>();
    const pause = (): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
    const own = kv({
      get: (key: string) => pause().then(() => data.get(key)),
      set: (key: string, value: unknown) => pause().then(() => void data.set(key, value)),
      del: (key: string) => pause().then(() => void data.delete(key)),
      *iterate(prefix: string) {
        for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
      },
    });
    const options: HandlerOptions = {
      tokens: [...tokens, { token: `${token}2`, space: "a", limits: { storageBytes: Infinity } }],
      limits: { storageBytes: 1000 },
    };
    const [one, two] = [
      clientOf(createHandler(own, options)),
      clientOf(createHandler(own, options)),
    ];
    const used = async (): Promise<number> =>
      (await spaceOf(own, "a").list({ limit: 1000 })).entries.reduce(
        (sum, { key, value }) => sum + key.length + JSON.stringify(value).length,
        0,
      );
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        (i % 2 ? one : two).set(`k${String(i).padStart(2, "0")}`, "x".repeat(45)).then(
          () => "ok",
          (error: KvError) => error.code,
        ),
      ),
    );
    // 3 for the key, 47 for the value.
    expect(outcomes.filter((each) => each === "ok").length).toBe(20);
    expect(outcomes.filter((each) => each === "KV_QUOTA").length).toBe(40);
    expect(await used()).toBe(1000);
    const [key] = (await one.keys()) as [string];
    // What is as large or smaller still fits; what is deleted frees its bytes.
    await one.set(key, "y".repeat(45));
    expect(await code(one.set(key, "y".repeat(46)))).toBe("KV_QUOTA");
    expect(
      await code(
        one.commit(
          [],
          [
            { key, value: 1 },
            { key: "new", value: "x".repeat(100) },
          ],
        ),
      ),
    ).toBe("KV_QUOTA");
    expect(await one.get(key)).toBe("y".repeat(45));
    // The id of a commit takes bytes as well.
    expect(
      await code(
        one.commit(
          [],
          [
            { key, value: null },
            { key: "new", value: "x".repeat(45) },
          ],
        ),
      ),
    ).toBe("KV_QUOTA");
    expect(
      (
        await one.commit(
          [],
          [
            { key, value: null },
            { key: "new", value: "x".repeat(44) },
          ],
        )
      ).ok,
    ).toBe(true);
    expect(await used()).toBe(999);
    await two.clear();
    await two.set("again", "x".repeat(900));
    // A token without the limit is counted as well.
    await clientOf(createHandler(own, options), `${token}2`).set("more", "x".repeat(5000));
    expect(await code(one.set("z", 1))).toBe("KV_QUOTA");
    await one.set("more", null);
    await one.set("z", 1);
  });

  it("free the bytes of expired entries, and count those written without a limit", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const own = kv(new Map());
      await spaceOf(own, "a").set("before", "x".repeat(500));
      const store = clientOf(createHandler(own, { tokens, limits: { storageBytes: 1000 } }));
      expect(await code(store.set("a", "x".repeat(600)))).toBe("KV_QUOTA");
      await store.set("a", "x".repeat(400), { expires: 10 });
      expect(await code(store.set("b", "x".repeat(400)))).toBe("KV_QUOTA");
      vi.advanceTimersByTime(10_000);
      await store.set("b", "x".repeat(400));
      expect(await store.keys()).toEqual(["b", "before"]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("count the ids of commits, which a full space does not take", async () => {
    const own = kv(new Map());
    const handler = createHandler(own, { tokens, limits: { storageBytes: 10_000 } });
    const root = own.prefix("space/{a}/");
    const kept = async (): Promise<number> => {
      let bytes = 0;
      for (const prefix of ["d/", "commit/"])
        for (const { key, value } of (await root.list({ prefix, limit: 10_000 })).entries)
          bytes += key.length - (prefix === "d/" ? 2 : 0) + JSON.stringify(value).length;
      return bytes;
    };
    const commit = async (id: string, writes: unknown): Promise<number> =>
      (await send(handler, "/v1/commit", { id, writes })).status;
    const statuses: number[] = [];
    for (let i = 0; i < 300; i++)
      statuses.push(
        await commit(`overwrite-${String(i).padStart(20, "0")}`, [{ key: "a", value: 1 }]),
      );
    const fit = statuses.indexOf(507);
    expect(statuses).toEqual(statuses.map((_, i) => (i < fit ? 200 : 507)));
    expect(fit).toBeGreaterThan(100);
    expect(await kept()).toBeLessThanOrEqual(10_000);
    // Deleting what is not there frees nothing, and is no way around the limit.
    for (let i = 0; i < 100; i++)
      expect(
        await commit(`nothing-${String(i).padStart(20, "0")}`, [{ key: "b", value: null }]),
      ).toBe(507);
    expect(await kept()).toBeLessThanOrEqual(10_000);
    // A commit of the past is still known, although there is no room for another.
    expect(await commit(`overwrite-${"0".repeat(20)}`, [{ key: "a", value: 1 }])).toBe(200);
    // What frees bytes is taken, with some room for its id.
    expect(await commit("free-000000000000000", [{ key: "a", value: null }])).toBe(200);
    expect(await kept()).toBeLessThanOrEqual(10_000 + 4096);
  });

  it("give the bytes of ids back after ten minutes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const handler = createHandler(kv(new Map()), { tokens, limits: { storageBytes: 1000 } });
      const store = clientOf(handler);
      let made = 0;
      while (
        (await store.commit([], [{ key: "a", value: made }]).then(
          () => "ok",
          ({ code }: KvError) => code,
        )) === "ok"
      )
        made++;
      expect(made).toBeGreaterThan(5);
      expect(await code(store.set("b", "x".repeat(500)))).toBe("KV_QUOTA");
      vi.advanceTimersByTime(601_000);
      await store.set("b", "x".repeat(500));
      expect((await store.commit([], [{ key: "a", value: 1 }])).ok).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it("are those of the free tier of the service that the interface comes from", () => {
    expect(FREE_TIER).toEqual({ operationsPerMonth: 10_000, storageBytes: 10_000_000 });
  });
});

describe("the id of a commit", () => {
  const reader = `${token}2`;
  const id = "0123456789_-abcDEFGH";
  const body = {
    id,
    checks: [{ key: "a", version: null }],
    writes: [{ key: "a", value: 1, expires: 4_000_000_000_000 }],
  };

  it.each([
    ["without a limit", Infinity],
    ["with a limit on storage", 1000],
  ])("stands for one body, whoever sends it, in a space %s", async (_which, storageBytes) => {
    const own = kv(new Map());
    const handler = createHandler(own, {
      tokens: [
        { token, space: "a" },
        { token: reader, space: "a" },
        { token: `${token}3`, space: "b" },
      ],
      limits: { storageBytes },
    });
    const commit = async (
      sent: unknown,
      as = token,
    ): Promise<[number, { [name: string]: unknown }]> => {
      const response = await send(handler, "/v1/commit", sent, { authorization: `Bearer ${as}` });
      return [response.status, (await response.json()) as { [name: string]: unknown }];
    };
    const [status, made] = await commit(body);
    expect([status, made.ok]).toEqual([200, true]);
    // The same again, whoever asks.
    expect([await commit(body), await commit(body, reader)]).toEqual([
      [200, made],
      [200, made],
    ]);
    const others = [
      { ...body, writes: [{ key: "a", value: 2, expires: 4_000_000_000_000 }] },
      { ...body, writes: [{ key: "a", value: 1 }] },
      { ...body, writes: [{ key: "b", value: 1 }] },
      { ...body, checks: [] },
      { id, writes: [{ key: "a", value: null }] },
    ];
    for (const [i, other] of others.entries()) {
      const [refused, answer] = await commit(other, i % 2 === 0 ? token : reader);
      expect([refused, answer]).toEqual([
        422,
        { error: { code: "KV_INVALID_VALUE", message: expect.stringContaining("another commit") } },
      ]);
    }
    expect(await spaceOf(own, "a").all()).toEqual({ a: 1 });
    // Another space knows nothing of it.
    expect((await commit(others[0], `${token}3`))[1]).toMatchObject({ ok: true });
  });

  it("is not kept for a commit that writes nothing", async () => {
    const own = kv(new Map());
    const handler = createHandler(own, { tokens: [{ token, space: "a" }] });
    for (const checks of [[], [{ key: "a", version: null }]])
      expect((await send(handler, "/v1/commit", { id, checks })).status).toBe(200);
    expect(await own.keys()).toEqual([]);
  });
});

describe("values", () => {
  it("are not parsed when they nest too deep", async () => {
    const handler = createHandler(kv(new Map()), {
      tokens: "none",
      limits: { valueBytes: Infinity },
    });
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    const set = (value: string): string => `{"writes":[{"key":"a","value":${value}}]}`;
    const parse = vi.spyOn(JSON, "parse");
    const statusOf = async (body: string): Promise<number> =>
      (await send(handler, "/v1/set", body)).status;
    try {
      for (const body of ["[".repeat(1_000_000), set(nested(1001)), '{"a":'.repeat(2000)])
        expect(await statusOf(body)).toBe(400);
      expect(parse).not.toHaveBeenCalled();
    } finally {
      parse.mockRestore();
    }
    // Brackets of texts do not nest.
    const text = JSON.stringify(`${"[{".repeat(2000)}"\\`);
    for (const value of [nested(1000), text, `[${text},${nested(999)}]`])
      expect(await statusOf(set(value))).toBe(200);
  });

  it("never reach a prototype, whatever their names", async () => {
    const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "a" }] });
    const body =
      '{"writes":[{"key":"__proto__","value":{"__proto__":{"polluted":1},' +
      '"constructor":{"prototype":{"polluted":1}}},' +
      '"metadata":{"__proto__":{"polluted":1}}}]}';
    expect((await send(handler, "/v1/set", body)).status).toBe(200);
    const text = await (await send(handler, "/v1/get", { keys: ["__proto__"] })).text();
    expect(text).toContain(
      '"value":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    for (const wrong of [
      '{"writes":[{"key":"a","value":1,"__proto__":{"expires":1}}]}',
      '{"writes":[{"__proto__":{"key":"a","value":1}}]}',
      '{"constructor":1,"writes":[]}',
    ])
      expect((await send(handler, "/v1/set", wrong)).status).toBe(400);
  });

  it("leave no trace in the headers of an answer", async () => {
    const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "a" }] });
    const evil = "a\r\nset-cookie: x=1\r\n\r\n<html>";
    await clientOf(handler).set(evil, evil, { metadata: { [evil]: evil } });
    const response = await send(handler, "/v1/get", { keys: [evil] });
    expect([...response.headers.keys()].sort()).toEqual([
      "cache-control",
      "content-type",
      "x-content-type-options",
    ]);
    expect(((await response.json()) as { entries: { key: string }[] }).entries[0]!.key).toBe(evil);
  });

  it("of a store with a codec go over the wire as they are stored", async () => {
    const own = kv(new Map(), {
      codec: {
        encode: (value: Date) => value.toISOString(),
        decode: (text) => new Date(text as string),
      },
    });
    const handler = createHandler(own as never, { tokens: [{ token, space: "a" }] });
    await clientOf(handler).set("a", "2027-01-01T00:00:00.000Z");
    expect(await clientOf(handler).get("a")).toBe("2027-01-01T00:00:00.000Z");
  });

  it("are refused with the client's own key, and without the server's", async () => {
    const map = new Map();
    const handler = createHandler(kv(map, { prefix: "secret:" }), {
      tokens: [{ token, space: "a" }],
    });
    const store = clientOf(handler).prefix("p:");
    await store.set("mine", 1);
    map.set("secret:space/{a}/d/p:theirs", "x");
    const error = await refusal(store.get("theirs"));
    expect([error.code, error.key, error.client]).toEqual(["KV_FOREIGN", "p:theirs", "HTTP"]);
    expect(error.message).toContain('"p:theirs"');
    expect(error.message).not.toMatch(/secret|space/);
    const large = await refusal(store.set("large", "x".repeat(20_000)));
    expect([large.code, large.key]).toEqual(["KV_TOO_LARGE", "p:large"]);
    expect(await store.keys()).toEqual(["mine"]);
  });
});

describe("the request around an operation", () => {
  it("lets no stream of events be silent for as long as servers take one for dead", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "a" }] });
      const events = (await send(handler, "/v1/watch", { keys: ["a"] })).body!.getReader();
      expect(String(Buffer.from((await events.read()).value!))).toContain("event: entries");
      const heard: string[] = [];
      void events.read().then(({ value }) => heard.push(String(Buffer.from(value!))));
      // Bun ends what was silent for 10 seconds, and looks every 4.
      await vi.advanceTimersByTimeAsync(6000);
      expect(heard).toEqual([":\n\n"]);
      await events.cancel();
    } finally {
      vi.useRealTimers();
    }
  });

  it("logs each request, and nothing that is secret", async () => {
    const lines: LogLine[] = [];
    const handler = createHandler(kv(new Map()), {
      tokens: [{ token, space: "a" }],
      log: (line) => void lines.push(line),
    });
    await send(handler, `/v1/set?q=${token}`, {
      writes: [{ key: "secret key", value: "secret value" }],
    });
    await send(
      handler,
      "/v1/get",
      { keys: ["secret key"] },
      { authorization: "Bearer secret-token" },
    );
    await send(handler, `/secret/${token}`, {});
    await send(handler, "/health", null, {}, "GET");
    expect(
      lines.map(({ method, operation, space, status }) => [method, operation, space, status]),
    ).toEqual([
      ["POST", "set", "a", 200],
      ["POST", "get", null, 401],
      ["POST", null, null, 404],
      ["GET", "health", null, 200],
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/secret|0123456789abcdef/);
    for (const line of lines)
      expect(Object.keys(line)).toEqual([
        "time",
        "method",
        "operation",
        "space",
        "status",
        "ms",
        "bytes",
      ]);
    expect(lines[0]!.bytes).toBe(2);
    const failing = createHandler(kv(new Map()), {
      tokens: "none",
      log: () => {
        throw new Error("disk full");
      },
    });
    expect((await send(failing, "/v1/get", { keys: [] })).status).toBe(200);
  });

  it("lets pages of other origins in only where that is said", async () => {
    const closed = createHandler(kv(new Map()), { tokens: "none" });
    const origin = { origin: "https://app.example" };
    expect(
      (await send(closed, "/v1/get", { keys: [] }, origin)).headers.get(
        "access-control-allow-origin",
      ),
    ).toBe(null);
    expect((await send(closed, "/v1/get", null, origin, "OPTIONS")).status).toBe(405);
    const open = createHandler(kv(new Map()), { tokens: "none", cors: ["https://app.example"] });
    const preflight = await send(open, "/v1/get", null, origin, "OPTIONS");
    expect([
      preflight.status,
      preflight.headers.get("access-control-allow-origin"),
      preflight.headers.get("access-control-allow-headers"),
    ]).toEqual([204, "https://app.example", "authorization, content-type, x-region"]);
    // A browser sends nothing whose headers are not all of them allowed.
    const sent: string[] = [];
    const fetch: Fetch = async (url, init) => (
      sent.push(...new Headers(init.headers).keys()),
      open(new Request(url, init))
    );
    await connect({ url: "http://kv.test", accessToken: token, fetch }).get(["a"]);
    expect(sent.sort().join(", ")).toBe(preflight.headers.get("access-control-allow-headers"));
    expect(
      (await send(open, "/v1/get", { keys: [] }, origin)).headers.get(
        "access-control-allow-origin",
      ),
    ).toBe("https://app.example");
    for (const other of [
      "https://evil.example",
      "null",
      "https://app.example.evil.example",
      "http://app.example",
    ]) {
      const response = await send(open, "/v1/get", { keys: [] }, { origin: other });
      expect([
        response.headers.get("access-control-allow-origin"),
        response.headers.get("vary"),
      ]).toEqual([null, "origin"]);
      expect((await send(open, "/v1/get", null, { origin: other }, "OPTIONS")).status).toBe(405);
    }
    for (const cors of [
      ["*"],
      ["https://a.example/"],
      ["a.example"],
      ["null"],
      "https://a.example",
      true,
    ])
      expect(() => createHandler(kv(), { tokens: "none", cors: cors as never })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
  });

  it("may stand under a path", async () => {
    const handler = createHandler(kv(new Map()), { tokens: "none", base: "/a/kv" });
    for (const [path, status] of [
      ["/a/kv/health", 200],
      ["/health", 404],
      ["/a/kvhealth", 404],
      ["/a/kv/a/kv/health", 404],
      ["/a/kv", 404],
    ] as const)
      expect([path, (await send(handler, path, null, {}, "GET")).status]).toEqual([path, status]);
    for (const base of ["kv", "/kv/", "/", "/a b", "//x"])
      expect(() => createHandler(kv(), { tokens: "none", base })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
  });

  it("refuses a body that never ends, and one that never comes", async () => {
    // A timer would make a millisecond of these.
    for (const wrong of [
      { bodyTimeout: 30_000 },
      { bodyTimeout: Infinity },
      { bodyTimeout: 0 },
      { interval: NaN },
      { interval: 1000 },
      { log: "stdout" },
    ]) {
      expect(() => createHandler(kv(), { tokens: "none", ...wrong } as never)).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }),
      );
    }
    const handler = createHandler(kv(new Map()), { tokens: "none", bodyTimeout: "30ms" });
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => void (sent++, controller.enqueue(new Uint8Array(65_536).fill(0x20))),
    });
    const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    const post = async (body: ReadableStream<Uint8Array>): Promise<number> =>
      (
        await handler(
          new Request("http://kv.test/v1/get", {
            method: "POST",
            headers: { "content-type": "application/json" },
            body,
            duplex: "half",
          } as RequestInit),
        )
      ).status;
    expect(await post(endless)).toBe(413);
    expect(sent).toBeLessThan(30);
    expect(await post(silent)).toBe(408);
  });

  it("answers large batches in parts, and never with nothing", async () => {
    const handler = createHandler(kv(new Map()), {
      tokens: "none",
      limits: { valueBytes: Infinity, bodyBytes: Infinity },
    });
    const key = (i: number): string => `k${i}`;
    for (let i = 0; i < 5; i++)
      await send(handler, "/v1/set", { writes: [{ key: key(i), value: "x".repeat(600_000) }] });
    const entries = async (path: string, body: unknown): Promise<unknown[]> =>
      ((await (await send(handler, path, body)).json()) as { entries: unknown[] }).entries;
    expect((await entries("/v1/get", { keys: [0, 1, 2, 3, 4].map(key) })).length).toBe(2);
    expect((await entries("/v1/list", { limit: 1000 })).length).toBe(2);
    await send(handler, "/v1/set", { writes: [{ key: "k0", value: "x".repeat(3_000_000) }] });
    expect((await entries("/v1/get", { keys: [0, 1, 2].map(key) })).length).toBe(1);
  });
});

it("reads only the values of a page, and ends it early when they are large", async () => {
  const items = new Map<string, string>();
  const storage = {
    get length() {
      return items.size;
    },
    key: (index: number) => [...items.keys()][index] ?? null,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  const base = kv(storage);
  const handler = createHandler(base, { tokens: [{ token, space: "a" }] });
  const store = kv(
    http("http://kv.test", { token, fetch: (url, init) => handler(new Request(url, init)) }),
  );
  await spaceOf(base, "a").setMany(
    Array.from({ length: 250 }, (_, i) => [`${i + 100}`, "x".repeat(10_000)]),
  );
  const parse = vi.spyOn(JSON, "parse");
  const page = await store.list({ limit: 5 });
  const parsed = parse.mock.calls.filter(([text]) => String(text).startsWith('{"kv":1')).length;
  parse.mockRestore();
  expect([page.entries.map(({ key, value }) => [key, String(value).length]), parsed]).toEqual([
    [100, 101, 102, 103, 104].map((key) => [`${key}`, 10_000]),
    6,
  ]);
  expect((await store.keys()).length).toBe(250);
  expect((await store.entries()).map(([key]) => key)).toEqual(
    Array.from({ length: 250 }, (_, i) => `${i + 100}`),
  );
});
