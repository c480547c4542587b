import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { createHandler } from "../../src/http/index.ts";
import { OPERATIONS } from "../../src/http/routes.ts";
import kv from "../../src/index.ts";
import { faults, type Schema } from "../support/json-schema.ts";

interface Described {
  readonly requestBody?: { content: { "application/json": { schema: Schema } } };
  readonly responses: { [status: string]: { content: { [type: string]: { schema: Schema } } } };
  readonly security?: unknown[];
}
const api = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "../../docs/openapi.json"), "utf8"),
) as Schema & { paths: { [path: string]: { [method: string]: Described } } };

const token = "0123456789abcdef";
const reader = "fedcba9876543210";
const small = "small-0123456789abcdef";
const store = kv(new Map());
const handler = createHandler(store, {
  tokens: [
    { token, space: "a" },
    { token: reader, space: "a", readOnly: true },
    {
      token: small,
      space: "b",
      limits: { valueBytes: 10, bodyBytes: 200, storageBytes: 20, operationsPerMonth: 6 },
    },
  ],
});

interface Sent {
  readonly body?: unknown;
  readonly as?: string | null;
  readonly method?: string;
  readonly headers?: { [name: string]: string };
}

/** Sends a request, and holds both it (if it is meant to be right) and the response to the file. */
async function send(
  where: string,
  { body, as = token, method, headers = {} }: Sent,
  status = 200,
): Promise<{ [name: string]: unknown }> {
  const [known] = Object.entries(api.paths[where] ?? {});
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const authorization: { [name: string]: string } =
    as === null ? {} : { authorization: `Bearer ${as}` };
  const used = method ?? known![0].toUpperCase();
  const response = await handler(
    new Request(`http://kv.test${where}`, {
      method: used,
      headers: { "content-type": "application/json", ...authorization, ...headers },
      ...(body === undefined || used === "GET" ? {} : { body: text! }),
    }),
  );
  expect([where, response.status, status === 200 ? await response.clone().text() : ""]).toEqual([
    where,
    status,
    expect.anything(),
  ]);
  const answer = (await response.json()) as { [name: string]: unknown };
  const described = known?.[1].responses[String(status)];
  if (status === 404) {
    expect(faults({ $ref: "#/components/schemas/Error" }, answer, api)).toEqual([]);
    return answer;
  }
  expect(described, `${where} describes ${status}`).toBeDefined();
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(faults(described!.content["application/json"]!.schema, answer, api)).toEqual([]);
  if (status === 200 && known![1].requestBody !== undefined)
    expect(faults(known![1].requestBody.content["application/json"].schema, body, api)).toEqual([]);
  return answer;
}

describe("docs/openapi.json", () => {
  it("has every operation, and nothing else", () => {
    expect(Object.keys(api.paths).sort()).toEqual(
      [...[...OPERATIONS.keys()].map((name) => `/v1/${name}`), "/health", "/ready"].sort(),
    );
    for (const [where, methods] of Object.entries(api.paths))
      expect(Object.keys(methods)).toEqual([where.startsWith("/v1/") ? "post" : "get"]);
  });

  it("describes the requests and answers of the operations", async () => {
    await send("/health", { as: null });
    await send("/ready", { as: null });
    expect(
      await send("/v1/set", {
        body: {
          writes: [
            { key: "a", value: { x: [1] } },
            { key: "b", value: "é", expires: 253_402_300_799_999, metadata: { by: "ann" } },
            { key: "c", value: null },
          ],
        },
      }),
    ).toEqual({});
    expect(await send("/v1/get", { body: { keys: ["a", "missing", "b"] } })).toMatchObject({
      entries: [
        { key: "a", value: { x: [1] }, metadata: null },
        null,
        { value: "é", metadata: { by: "ann" } },
      ],
    });
    expect(await send("/v1/get", { body: { keys: ["b"], values: false } })).toMatchObject({
      entries: [{ key: "b", value: null, metadata: null, expires: 253_402_300_799_999 }],
    });
    expect(await send("/v1/get", { body: { keys: [] } })).toEqual({ entries: [] });
    const page = await send("/v1/list", { body: { limit: 1 } });
    expect(page).toMatchObject({ entries: [{ key: "a" }], next: "a" });
    expect(await send("/v1/list", { body: { after: page.next } })).toMatchObject({
      entries: [{ key: "b" }],
      next: null,
    });
    expect(
      await send("/v1/list", {
        body: { prefix: "b", after: null, limit: 1000, reverse: true, values: false },
      }),
    ).toMatchObject({ entries: [{ key: "b", value: null }] });
    expect(
      await send("/v1/commit", { body: { checks: [{ key: "a", version: null }], writes: [] } }),
    ).toEqual({ ok: false, failed: ["a"] });
    const id = "0123456789_-abcDEFGH";
    const made = await send("/v1/commit", {
      body: { checks: [{ key: "n", version: null }], writes: [{ key: "n", value: 1 }], id },
    });
    expect(made).toMatchObject({ ok: true });
    expect(
      await send("/v1/commit", {
        body: { checks: [{ key: "n", version: null }], writes: [{ key: "n", value: 1 }], id },
      }),
    ).toEqual(made);
    await send("/v1/commit", { body: { writes: [{ key: "n", value: 2 }], id } }, 422);
    expect(await send("/v1/commit", { body: {} })).toMatchObject({ ok: true });
    expect(await send("/v1/touch", { body: { key: "n", expires: 1 } })).toEqual({ found: true });
    expect(await send("/v1/touch", { body: { key: "n", expires: null } })).toEqual({
      found: false,
    });
    expect(await send("/v1/prune", { body: {} })).toEqual({ removed: 0 });
    expect(await send("/v1/clear", { body: { prefix: "a" } })).toEqual({});
    expect(await send("/v1/get", { body: { keys: ["a", "b"] } })).toMatchObject({
      entries: [{ key: "a" }, { key: "b" }],
    });
    await send("/v1/clear", { body: {} });
    expect(await send("/v1/get", { body: { keys: ["a", "b"] } })).toEqual({
      entries: [null, null],
    });
  });

  const WRONG: {
    readonly [what: string]: readonly [where: string, sent: Sent, status: number, code: string];
  } = {
    "no token": ["/v1/get", { body: { keys: [] }, as: null }, 401, "KV_UNAUTHORIZED"],
    "another token": [
      "/v1/get",
      { body: { keys: [] }, as: "0123456789abcdeg" },
      401,
      "KV_UNAUTHORIZED",
    ],
    "a writing reader": ["/v1/set", { body: { writes: [] }, as: reader }, 403, "KV_UNAUTHORIZED"],
    "a committing reader": ["/v1/commit", { body: {}, as: reader }, 403, "KV_UNAUTHORIZED"],
    "a clearing reader": ["/v1/clear", { body: {}, as: reader }, 403, "KV_UNAUTHORIZED"],
    "no such path": ["/v1/drop", { body: {}, method: "POST" }, 404, "KV_NOT_SUPPORTED"],
    "a path inside of one": ["/v1/get/a", { body: {}, method: "POST" }, 404, "KV_NOT_SUPPORTED"],
    "the name of a method of objects": [
      "/v1/constructor",
      { body: {}, method: "POST" },
      404,
      "KV_NOT_SUPPORTED",
    ],
    "another method": ["/v1/get", { method: "GET" }, 405, "KV_NOT_SUPPORTED"],
    "another method of a probe": ["/health", { method: "POST", body: {} }, 405, "KV_NOT_SUPPORTED"],
    "an OPTIONS of no origin": ["/v1/get", { method: "OPTIONS" }, 405, "KV_NOT_SUPPORTED"],
    "no JSON": ["/v1/get", { body: "{" }, 400, "KV_INVALID_VALUE"],
    "an empty body": ["/v1/get", { body: "" }, 400, "KV_INVALID_VALUE"],
    "a list": ["/v1/get", { body: "[]" }, 400, "KV_INVALID_VALUE"],
    null: ["/v1/get", { body: "null" }, 400, "KV_INVALID_VALUE"],
    "another type": [
      "/v1/get",
      { body: "{}", headers: { "content-type": "text/plain" } },
      415,
      "KV_INVALID_VALUE",
    ],
    "a compressed body": [
      "/v1/get",
      { body: "{}", headers: { "content-encoding": "gzip" } },
      415,
      "KV_INVALID_VALUE",
    ],
    "no keys": ["/v1/get", { body: {} }, 400, "KV_INVALID_VALUE"],
    "a member that is misspelt": [
      "/v1/set",
      { body: { writes: [{ key: "a", value: 1, expire: 1 }] } },
      400,
      "KV_INVALID_VALUE",
    ],
    "a member __proto__": [
      "/v1/set",
      { body: '{"__proto__":{"writes":[]}}' },
      400,
      "KV_INVALID_VALUE",
    ],
    "an empty key": ["/v1/get", { body: { keys: [""] } }, 400, "KV_INVALID_KEY"],
    "a key that is a number": ["/v1/get", { body: { keys: [1] } }, 400, "KV_INVALID_KEY"],
    "a key with a lone surrogate": [
      "/v1/get",
      { body: '{"keys":["\\ud800"]}' },
      400,
      "KV_INVALID_KEY",
    ],
    "a key that is too long": [
      "/v1/get",
      { body: { keys: ["é".repeat(1025)] } },
      413,
      "KV_TOO_LARGE",
    ],
    "too many keys": [
      "/v1/get",
      { body: { keys: Array.from({ length: 1001 }, () => "a") } },
      413,
      "KV_TOO_LARGE",
    ],
    "10,000 writes": [
      "/v1/set",
      { body: { writes: Array.from({ length: 10_000 }, () => ({ key: "a", value: 1 })) } },
      413,
      "KV_TOO_LARGE",
    ],
    "10,000 checks": [
      "/v1/commit",
      { body: { checks: Array.from({ length: 10_000 }, () => ({ key: "a", version: null })) } },
      413,
      "KV_TOO_LARGE",
    ],
    "a write without a value": [
      "/v1/set",
      { body: { writes: [{ key: "a" }] } },
      400,
      "KV_INVALID_VALUE",
    ],
    "a write that is null": ["/v1/set", { body: { writes: [null] } }, 400, "KV_INVALID_VALUE"],
    "a duration as a deadline": [
      "/v1/set",
      { body: { writes: [{ key: "a", value: 1, expires: "1h" }] } },
      400,
      "KV_INVALID_EXPIRES",
    ],
    "a fraction as a deadline": [
      "/v1/touch",
      { body: { key: "a", expires: 1.5 } },
      400,
      "KV_INVALID_EXPIRES",
    ],
    "no deadline": ["/v1/touch", { body: { key: "a" } }, 400, "KV_INVALID_EXPIRES"],
    "a deadline beyond the year 9999": [
      "/v1/touch",
      { body: { key: "a", expires: 253_402_300_800_000 } },
      400,
      "KV_INVALID_EXPIRES",
    ],
    "a limit of 0": ["/v1/list", { body: { limit: 0 } }, 400, "KV_INVALID_VALUE"],
    "a limit of 1,001": ["/v1/list", { body: { limit: 1001 } }, 400, "KV_INVALID_VALUE"],
    "a page behind a key of another prefix": [
      "/v1/list",
      { body: { prefix: "a", after: "b" } },
      400,
      "KV_INVALID_CURSOR",
    ],
    "an id that is too short": ["/v1/commit", { body: { id: "1" } }, 400, "KV_INVALID_VALUE"],
    "an id with a slash": [
      "/v1/commit",
      { body: { id: "../../../../../../a" } },
      400,
      "KV_INVALID_VALUE",
    ],
    "a value that nests too deep": [
      "/v1/set",
      { body: `{"writes":[{"key":"a","value":${"[".repeat(2000)}${"]".repeat(2000)}}]}` },
      400,
      "KV_INVALID_VALUE",
    ],
    "a value that is too large": [
      "/v1/set",
      { body: { writes: [{ key: "a", value: "x".repeat(16_383) }] } },
      413,
      "KV_TOO_LARGE",
    ],
    "metadata that is too large": [
      "/v1/set",
      { body: { writes: [{ key: "a", value: 1, metadata: "é".repeat(8192) }] } },
      413,
      "KV_TOO_LARGE",
    ],
    "a body that is too large": [
      "/v1/set",
      { body: { writes: [{ key: "a", value: "x".repeat(1_048_576) }] } },
      413,
      "KV_TOO_LARGE",
    ],
    "more than a space may hold": [
      "/v1/set",
      {
        body: {
          writes: [
            { key: "a", value: 12_345_678 },
            { key: "b", value: 12_345_678 },
            { key: "c", value: 12_345_678 },
          ],
        },
        as: small,
      },
      507,
      "KV_QUOTA",
    ],
    "more operations than a month has": [
      "/v1/get",
      { body: { keys: ["a", "b", "c", "d"] }, as: small },
      429,
      "KV_RATE_LIMITED",
    ],
  };
  for (const [what, [where, sent, status, code]] of Object.entries(WRONG)) {
    it(`describes the refusal of ${what}`, async () => {
      expect((await send(where, sent, status)).error).toMatchObject({ code });
    });
  }

  it("describes a store that is away", async () => {
    const gone = kv(new Map());
    await gone.close();
    const respond = createHandler(gone, { tokens: "none" });
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"keys":["a"]}',
    };
    const response = await respond(new Request("http://kv.test/v1/get", init));
    expect([response.status, await response.json()]).toEqual([
      503,
      { error: { code: "KV_CONNECTION", message: "the server's store cannot be reached" } },
    ]);
    expect((await respond(new Request("http://kv.test/ready"))).status).toBe(503);
    expect((await respond(new Request("http://kv.test/health"))).status).toBe(200);
  });
});
