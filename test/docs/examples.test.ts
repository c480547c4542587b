import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  mkdirSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LuaFactory } from "wasmoon";
import kv from "../../src/index.ts";
import { installKV } from "../../src/lua/index.ts";
import { createKV } from "../../src/namespace/index.ts";
import { etcdServer } from "../support/etcd-server.ts";
import {
  agrees,
  complete,
  type Example,
  expectations,
  ofMarkdown,
  ofSource,
} from "../support/examples.ts";
import { postgresServer } from "../support/postgres-server.ts";
import { redisServer } from "../support/redis-server.ts";
import { isFull } from "../support/runs.ts";

const root = path.join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const list = (folder: string, ending: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => path.join(folder, file));

const examples: Example[] = [
  ...["README.md", "CONTRIBUTING.md", ...list("docs", ".md")].flatMap((file) =>
    ofMarkdown(read(file), file),
  ),
  ...list("src", ".ts").flatMap((file) => ofSource(read(file), file)),
];

// An empty project that has the built package and, as a user would, the client libraries installed.
const project = mkdtempSync(path.join(tmpdir(), "anykv-docs-"));
mkdirSync(path.join(project, "node_modules"));
symlinkSync(root, path.join(project, "node_modules/anykv"), "dir");
for (const scope of [
  "@apollo",
  "@auth",
  "@electric-sql",
  "@fastify",
  "@hono",
  "@langchain",
  "@modelcontextprotocol",
  "@tanstack",
  "@vue",
])
  mkdirSync(path.join(project, "node_modules", scope));
const libraries = [
  "level",
  "memory-level",
  "better-sqlite3",
  "fast-check",
  "nanoid",
  "redis",
  "ioredis",
  "etcd3",
  "pg",
  "@electric-sql/pglite",
  "lru-cache",
  "keyv",
  "polystore",
  "unstorage",
  "wasmoon",
  "zod",
  "valibot",
  "@vue/reactivity",
  "@fastify/rate-limit",
  "@hono/session",
  "@langchain/langgraph",
  "@langchain/langgraph-checkpoint",
  "express",
  "express-rate-limit",
  "express-session",
  "fastify",
  "grammy",
  "hono",
  "hono-sessions",
  "rate-limiter-flexible",
  "react-router",
  "telegraf",
  "@apollo/utils.keyvaluecache",
  "@modelcontextprotocol/sdk",
  "@tanstack/query-core",
  "@tanstack/query-persist-client-core",
  "@auth/core",
  "axios",
  "axios-cache-interceptor",
  "bentocache",
  "better-auth",
  "jotai",
  "oidc-provider",
  "redux",
  "redux-persist",
  "undici",
  "zustand",
];
for (const name of libraries)
  symlinkSync(
    path.join(root, "node_modules", name),
    path.join(project, "node_modules", name),
    "dir",
  );
writeFileSync(path.join(project, "package.json"), JSON.stringify({ type: "module" }));
// The servers that examples are pointed at by these variables.
const servers: { remove(): Promise<unknown> }[] = [];
const urls: { [name: string]: string } = {};
beforeAll(async () => {
  const [redis, etcd, postgres] = await Promise.all([
    redisServer(),
    etcdServer(),
    postgresServer(),
  ]);
  servers.push(redis, etcd, postgres);
  await Promise.all([redis.start(), etcd.start(), postgres.start()]);
  Object.assign(urls, { REDIS_URL: redis.url, ETCD_URL: etcd.url, DATABASE_URL: postgres.url });
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.remove()));
  rmSync(project, { recursive: true, force: true });
});

let count = 0;

/** A new folder in the project, with the example in it. */
function written(code: string): string {
  const folder = path.join(project, `run${++count}`);
  mkdirSync(folder);
  writeFileSync(path.join(folder, "example.mjs"), code);
  return folder;
}

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly errors: string;
}

async function run(
  cwd: string,
  args: readonly string[],
  command: string = process.execPath,
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd,
    env: {
      ...process.env,
      ...urls,
      DENO_DIR: path.join(project, "deno"),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
    },
  });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, out, errors };
}

/** A line that `run-examples.mjs` printed: a `console.log`, or the end of an example. */
interface Event {
  readonly run: string;
  readonly line?: number;
  readonly args?: readonly unknown[];
  readonly end?: string;
}

const eventsOf = (out: string): Event[] =>
  out
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);

/** What a program printed is what its comments say. */
function checkPrinted(code: string, events: readonly Event[]): void {
  for (const [line, comment] of expectations(code)) {
    const calls = events.filter((event) => event.line === line);
    expect(calls.length, `line ${line} was reached`).toBeGreaterThan(0);
    for (const { args = [] } of calls)
      expect(agrees(args, comment), `${JSON.stringify(args)} is ${comment}`).toBe(true);
  }
}

const program = path.join(root, "test/programs/run-examples.mjs");

const quiet = "--disable-warning=ExperimentalWarning";

/** Examples that one process runs. A process of its own for each takes three times as long. */
const PER_PROCESS = isFull ? 1 : 20;

/** An example in Node, and how it ended. */
interface InNode {
  readonly code: string;
  readonly where: string;
  end(): Promise<{ status: number | null; events: Event[]; errors: string | undefined }>;
}

/** The examples in Node, by processes. A process ends by itself once all of its examples have. */
function processesOf(all: readonly Example[]): InNode[] {
  const parts = Array.from({ length: Math.ceil(all.length / PER_PROCESS) }, (_, i) =>
    all.slice(i * PER_PROCESS, (i + 1) * PER_PROCESS),
  );
  return parts.flatMap((part) => {
    let ended: Promise<Ended> | undefined;
    const folders = part.map(({ code }) => written(complete(code)));
    return part.map(({ code, where }, i) => ({
      code: complete(code),
      where,
      end: async () => {
        const { status, out, errors } = await (ended ??= run(project, [
          quiet,
          program,
          ...folders,
        ]));
        const name = path.basename(folders[i]!);
        const events = eventsOf(out).filter((event) => event.run === name);
        const own = errors.split(`\n${name}:\n`)[1]?.split(/\nrun\d+:\n/)[0];
        return { status, events, errors: own };
      },
    }));
  });
}

const installed = path.join(root, "test/runtimes/node_modules/@deno/linux-x64-glibc/deno");
const deno = existsSync(installed) ? installed : "deno";

/** What a worker answers. */
async function answerOf(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: project },
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    write: false,
    logLevel: "error",
  });
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    kvNamespaces: ["KV", "YOUR_KV_NAMESPACE"],
    compatibilityDate: "2026-07-01",
  });
  try {
    return await (await worker.dispatchFetch("http://localhost/")).text();
  } finally {
    await worker.dispose();
  }
}

describe.concurrent("examples", () => {
  for (const { where, code, end } of processesOf(examples.filter(({ kind }) => kind === ""))) {
    it(`${where} prints what it says`, async () => {
      const { status, events, errors } = await end();
      expect(errors).toBe("");
      expect(events.at(-1)?.end).toBe("");
      expect(status).toBe(0);
      checkPrinted(code, events);
    });
  }

  const allowed = ["--allow-all", "--unstable-kv", "--no-lock", "--quiet"];
  for (const { where, code } of examples.filter((example) => example.kind === "deno")) {
    it(`${where} prints what it says in Deno`, async () => {
      const folder = written(code);
      const { status, out, errors } = await run(folder, ["run", ...allowed, program, folder], deno);
      expect(errors.trim()).toBe(`${path.basename(folder)}:`);
      expect(status).toBe(0);
      checkPrinted(code, eventsOf(out));
    });
  }

  for (const { where, code } of examples.filter((example) => example.kind === "workerd")) {
    it(`${where} answers what it says in workerd`, async () => {
      const comment = /new Response\(.*\); \/\/ (.*)$/m.exec(code)![1]!;
      expect(agrees([await answerOf(code)], comment)).toBe(true);
    });
  }

  for (const { where, code } of examples.filter((example) => example.kind === "lua")) {
    it(`${where} prints what it says in Lua`, async () => {
      const lua = await new LuaFactory().createEngine();
      installKV(lua, createKV({ store: kv() }));
      const events: Event[] = [];
      lua.global.set(
        "printed",
        (line: number, text: string) => void events.push({ run: where, line, args: [text] }),
      );
      await lua.doString(
        'function print(value) printed(debug.getinfo(2, "l").currentline, tostring(value)) end',
      );
      await lua.doString(code);
      lua.global.close();
      checkPrinted(code, events);
    });
  }

  for (const { where, code } of examples.filter((example) => example.kind === "test")) {
    it(`${where} passes`, async () => {
      const { status, out } = await run(written(code), [
        quiet,
        "--test",
        "--test-reporter=tap",
        "example.mjs",
      ]);
      expect(Number(/^# pass (\d+)$/m.exec(out)?.[1])).toBeGreaterThan(40);
      expect(out).toMatch(/^# fail 0$/m);
      expect(status).toBe(0);
    });
  }
});

it("finds the examples, and every kind of them is run somewhere", () => {
  expect(examples.length).toBeGreaterThan(150);
  expect(
    examples.filter(
      ({ kind }) => !["", "browser", "test", "deno", "workerd", "lua"].includes(kind),
    ),
  ).toEqual([]);
  const unchecked = examples
    .filter(({ code }) => /console\.log/.test(code) && expectations(code).size === 0)
    .map(({ where }) => where);
  expect(unchecked).toEqual([]);
});
