import { Agent, request } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { type KvServer, serve, spaceOf } from "../../src/http/index.ts";
import kv from "../../src/index.ts";
import {
  Choices,
  type FuzzedRequest,
  mutatedRequest,
  validRequest,
} from "../support/http-requests.ts";
import { isFull } from "../support/runs.ts";

/** How many requests are sent; ANYKV_SEED sends others. */
const REQUESTS = isFull ? 200_000 : 6000;
const SEED = Number(import.meta.env.ANYKV_SEED || 1);
const AT_ONCE = 16;
/** The part of the requests that have something wrong. */
const MUTATED = 0.3;

const TOKENS = ["token-of-a-plain-space", "token-of-a-full-space-", "token-of-another-space"];
const SECRETS = [...TOKENS, "secret-of-another", "space/{plain}", "space/{full}"];
/** Everything that a server answers, but that it failed. */
const STATUSES = [200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 507];

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The answer to a request; of an event stream, what comes first. */
function answerOf(agent: Agent, port: number, fuzzed: FuzzedRequest): Promise<Answer> {
  const { method, path, body } = fuzzed;
  const headers = { ...fuzzed.headers, "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", agent, method, path, headers }, (response) => {
      let text = "";
      const end = (): void => resolve({ status: response.statusCode ?? 0, text });
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (response.headers["content-type"] !== "text/event-stream" || !text.includes("\n\n"))
          return;
        end();
        response.destroy();
      });
      response.once("end", end).once("error", reject);
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

/** What must not be in an answer: it says nothing of other spaces, and shows no secret. */
function faultOf({ status, text }: Answer, { path }: FuzzedRequest): string | null {
  if (!STATUSES.includes(status)) return `status ${status}`;
  const leaked = SECRETS.find((secret) => text.includes(secret));
  if (leaked !== undefined) return `shows ${leaked}`;
  if (status === 200 && path.endsWith("/watch")) return /^(event: |$)/.test(text) ? null : text;
  if (status >= 400 && text !== "" && !/^\{"error":\{"code":"KV_[A-Z_]+","message":"/.test(text))
    return `is no error: ${text.slice(0, 100)}`;
  return null;
}

const versionsIn = (text: string): string[] =>
  [...text.matchAll(/"version":"([^"]{1,100})"/g)].map(([, version]) => version!);

async function fuzz({ port }: KvServer): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const versions: string[] = [];
  let sent = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (sent < REQUESTS) {
      // Each request has a seed of its own, so that it does not depend on the answers.
      const choices = new Choices(Math.imul(SEED, 1_000_003) + sent++);
      const isMutated = choices.chance(MUTATED);
      const valid = validRequest(choices, TOKENS.slice(0, 2), versions);
      const fuzzed = isMutated ? mutatedRequest(choices, valid) : valid;
      const what =
        `ANYKV_SEED=${SEED}: ${fuzzed.method} ${fuzzed.path} ` +
        `${fuzzed.body.toString().slice(0, 2000)}`;
      const answer = await answerOf(agent, port, fuzzed).catch((cause: unknown) => {
        throw new Error(`no answer, ${what}`, { cause });
      });
      const fault = faultOf(answer, fuzzed);
      if (fault !== null) throw new Error(`${fault}, ${what}`);
      if (answer.status < 300) done++;
      versions.push(...versionsIn(answer.text).slice(0, 5));
      versions.splice(0, versions.length - 50);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    agent.destroy();
  }
  return done / REQUESTS;
}

it(`answers ${REQUESTS} requests, good and bad, and never fails or tells a secret`, async () => {
  const own = kv(new DatabaseSync(":memory:"));
  const lines: string[] = [];
  const server = await serve(own, {
    tokens: [
      { token: TOKENS[0]!, space: "plain" },
      { token: TOKENS[1]!, space: "full", limits: { storageBytes: 20_000 } },
      { token: TOKENS[2]!, space: "other" },
    ],
    grace: "2s",
    log: (line) => void lines.push(JSON.stringify(line)),
  });
  try {
    const other = spaceOf(own, "other");
    const secrets = Array.from({ length: 50 }, (_, i) => [`secret-of-another-${i}`, i] as const);
    await other.setMany(secrets);
    const part = await fuzz(server);
    expect(part).toBeGreaterThan(0.5);
    expect(Object.entries(await other.all()).sort()).toEqual([...secrets].sort());
    const logged = lines.join("\n");
    expect(SECRETS.filter((secret) => logged.includes(secret))).toEqual([]);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  } finally {
    await server.close();
    await own.close();
  }
});
