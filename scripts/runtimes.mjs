// Packs the package, installs the tarball in empty projects, and runs the same program on every
// runtime.
//   node scripts/runtimes.mjs            most of them: a table; exit code 1 when something fails
//   ANYKV_RUNS=full node scripts/runtimes.mjs
//                                        all of them; exit code 1 also when docs/runtimes.md shows
//                                        another table
//   node scripts/runtimes.mjs --write    all of them, and writes the table into docs/runtimes.md
//   node scripts/runtimes.mjs bun deno   these runtimes alone
import { execFile } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { until } from "../test/support/daemon.ts";
import { missingFor, openEngine } from "../test/support/engines.ts";
import { redisServer } from "../test/support/redis-server.ts";
import { env, installRuntimes, node, root } from "./setup.mjs";

const sources = join(root, "test/runtimes");
const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const folder = mkdtempSync(join(process.env.ANYKV_DISK ?? tmpdir(), "anykv-runtimes-"));
// Files and folders of the program are in memory: what a crash leaves is tested elsewhere.
const memory = mkdtempSync(join(tmpdir(), "anykv-runtimes-"));
const execute = promisify(execFile);
const run = async (command, args, cwd, extra = {}) =>
  (
    await execute(command, args, {
      cwd,
      env: { ...env, ...extra },
      maxBuffer: 1e8,
      timeout: 240_000,
    })
  ).stdout;

/** A member of the object that imports each entry. */
const entryLine = (name) => `  ${JSON.stringify(name)}: () => import(${JSON.stringify(name)}),\n`;

/** Installs the package as a user does, with what the program needs beside it. */
async function install() {
  const project = join(folder, "project");
  mkdirSync(project);
  const [{ filename }] = Object.values(
    JSON.parse(
      await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root),
    ),
  );
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  const others = [
    "fast-check",
    "redis",
    "@vue/reactivity",
    "react",
    "solid-js",
    "vue",
    "wasmoon",
  ].map((name) => `${name}@${pkg.devDependencies[name]}`);
  await run(
    "npm",
    [
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      join(folder, filename),
      ...others,
    ],
    project,
  );
  const names = Object.keys(pkg.exports)
    .filter((path) => path !== "./package.json")
    .map((path) => pkg.name + path.slice(1));
  writeFileSync(
    join(project, "entries.mjs"),
    `export const entries = {\n${names.map(entryLine).join("")}};\n`,
  );
  for (const name of ["smoke", "apis", "in-process", "in-page", "in-worker"])
    cpSync(join(sources, `${name}.mjs`), join(project, `${name}.mjs`));
  return project;
}

let copies = 0;
function copyOf(project) {
  const copy = join(folder, `copy${++copies}`);
  cpSync(project, copy, { recursive: true });
  return copy;
}

const inProcess =
  (command, args, place = memory) =>
  async (project, redis) => {
    const data = mkdtempSync(join(place, "data-"));
    return JSON.parse(
      await run(command, [...args, "in-process.mjs"], copyOf(project), {
        DATA_URL: `${pathToFileURL(data)}/data/`,
        REDIS_URL: redis,
        DENO_DIR: join(folder, "deno"),
        DENO_NO_UPDATE_CHECK: "1",
      }),
    );
  };

/** The program in one file, as an app would bundle it. */
async function bundled(project, entry, options) {
  const { outputFiles } = await build({
    entryPoints: [join(project, entry)],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    logLevel: "error",
    ...options,
  });
  return outputFiles[0].text;
}

/** Runs the program in a page of a browser. */
const inBrowser = (name) => async (project) => {
  const script = await bundled(project, "in-page.mjs", { platform: "browser" });
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    const page = '<!doctype html><script type="module" src="/page.js"></script>';
    response.end(isScript ? script : page);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const engine = await openEngine(name);
  try {
    const page = await engine.open(`http://localhost:${server.address().port}/`);
    await until("the program has begun", () => page.evaluate(() => "result" in globalThis));
    return await page.evaluate(() => globalThis.result);
  } finally {
    await engine.close();
    server.close();
  }
};

async function inWorkerd(project) {
  // As wrangler bundles it.
  const script = await bundled(project, "in-worker.mjs", {
    define: { "process.env.NODE_ENV": '"production"' },
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
  });
  const { Miniflare } = await import("miniflare");
  const worker = new Miniflare({
    modules: true,
    script,
    kvNamespaces: ["KV"],
    compatibilityDate: "2026-07-01",
  });
  try {
    return await (await worker.dispatchFetch("http://localhost/")).json();
  } finally {
    await worker.dispose();
  }
}

const at = (path) => join(sources, "node_modules", path);
const storage = ["--disable-warning=ExperimentalWarning", "--localstorage-file=localstorage.db"];
const runtimes = {
  "Node 22": inProcess(at("node22/bin/node"), ["--experimental-webstorage", ...storage]),
  "Node 24": inProcess(node, ["--experimental-webstorage", ...storage]),
  "Node 26": inProcess(at("node26/bin/node"), storage),
  Bun: inProcess(at("@oven/bun-linux-x64/bin/bun"), []),
  // With the permissions that docs/runtimes.md names, and no others.
  Deno: inProcess(
    at("@deno/linux-x64-glibc/deno"),
    [
      "run",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-sys",
      "--allow-env",
      "--allow-net",
      "--no-lock",
    ],
    // On the disk: these permissions are not enough for files in /dev/shm.
    folder,
  ),
  workerd: inWorkerd,
  Chromium: inBrowser("Chromium"),
  Firefox: inBrowser("Firefox"),
  WebKit: inBrowser("WebKit"),
};
const engines = ["Chromium", "Firefox", "WebKit"];
/** Tried only in a full run: the other tests run on Node 24 and in Chromium. */
const rest = ["Node 24", "Node 26", "Chromium"];
const isFull = process.env.ANYKV_RUNS === "full" || process.argv.includes("--write");

const isAskedFor = (name) => {
  const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
  return wanted.length === 0
    ? isFull || !rest.includes(name)
    : wanted.some((text) => name.toLowerCase().includes(text.toLowerCase()));
};

/** The rows of each runtime; a text for one that could not be tried. */
async function runAll() {
  const missing = await installRuntimes();
  const redis = await (await redisServer()).start();
  const results = new Map(
    Object.keys(runtimes)
      .filter(isAskedFor)
      .map((name) => [name, undefined]),
  );
  try {
    const waiting = [...results.keys()];
    tell({ event: "planned", files: waiting });
    const project = await install();
    const worker = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        tell({ event: "began", file: name });
        const isExtra = /22|26|Bun|Deno/.test(name);
        const packages = engines.includes(name) ? missingFor(name) : undefined;
        const reason = packages ? `apt-get install ${packages}` : isExtra ? missing : undefined;
        if (reason !== undefined) {
          results.set(name, reason);
          tell({
            event: "ended",
            file: name,
            passed: 0,
            failed: 0,
            skipped: 1,
            unfinished: 0,
            failures: [],
          });
          continue;
        }
        // Each has a database of its own.
        const database = `${redis.url}/${Object.keys(runtimes).indexOf(name)}`;
        results.set(
          name,
          await runtimes[name](project, database).catch((error) => [
            {
              what: "run at all",
              passed: 0,
              failures: [`${error.stderr || error.message}`.trim().slice(-2000)],
            },
          ]),
        );
        tellRows(name, results.get(name));
      }
    };
    await Promise.all([worker(), worker()]);
  } finally {
    await redis.remove();
    for (const each of [folder, memory]) rmSync(each, { recursive: true, force: true });
  }
  return results;
}

/** Appends an event as scripts/reporter.ts does, for scripts/test.mjs. */
function tell(event) {
  if (process.env.ANYKV_RESULTS)
    appendFileSync(
      process.env.ANYKV_RESULTS,
      `${JSON.stringify({ project: "runtimes", ...event })}\n`,
    );
}

function tellRows(name, rows) {
  const failed = rows.filter((row) => row.failures.length > 0);
  const failures = failed.map(({ what, failures: [error] }) => ({
    title: what,
    error: `${error}`.split("\n")[0],
    repeat: `node scripts/runtimes.mjs '${name}'`,
  }));
  tell({
    event: "ended",
    file: name,
    passed: rows.length - failed.length,
    failed: failed.length,
    skipped: 0,
    unfinished: 0,
    failures,
  });
}

const results = await runAll();
const done = [...results].filter(([, rows]) => Array.isArray(rows));
const what = [...new Set(done.flatMap(([, rows]) => rows.map((row) => row.what)))];
const cell = (rows, name) => {
  const row = rows.find((each) => each.what === name);
  return row === undefined ? "–" : row.failures.length > 0 ? `${row.failures.length} FAILED` : "✓";
};
const lines = [
  ["", ...done.map(([name]) => name)],
  ["---", ...done.map(() => "---")],
  ...what.map((name) => [name, ...done.map(([, rows]) => cell(rows, name))]),
];
const table = lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
console.log(`${table}\n`);

let failed = 0;
for (const [name, rows] of done) {
  for (const { what, failures } of rows) {
    failed += failures.length;
    for (const failure of failures) console.log(`${name}, ${what}: ${failure}`);
  }
}
for (const [name, why] of results)
  if (!Array.isArray(why)) console.log(`${name} was not tried: ${why}`);

// Only a whole table is compared with the page.
if (done.length === Object.keys(runtimes).length && failed === 0) {
  const name = "docs/runtimes.md";
  const file = join(root, name);
  const page = readFileSync(file, "utf8");
  const written = page.replace(
    /(<!-- runtimes -->\n)[\s\S]*?(<!-- \/runtimes -->)/,
    (_, before, after) => `${before}${table}\n${after}`,
  );
  if (process.argv.includes("--write")) writeFileSync(file, written);
  else if (written !== page) {
    failed++;
    const error = `${name} shows another table: node scripts/runtimes.mjs --write`;
    console.log(error);
    tellRows(name, [{ what: "the table", failures: [error] }]);
  } else tellRows(name, [{ what: "the table", failures: [] }]);
}
process.exitCode = failed > 0 || !existsSync(join(root, "dist/index.js")) ? 1 : 0;
