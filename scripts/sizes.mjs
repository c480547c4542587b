// Measures bundles as a bundler ships them, against the budget: esbuild with code splitting,
// minified, each file compressed with brotli.
//   node scripts/sizes.mjs            tables; exit code 1 when a size is over its budget
//   node scripts/sizes.mjs --write    also writes the tables into README.md and docs/sizes.md
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";

// The budget: bytes after brotli, but for `worker`, which is minified only.
const budget = {
  entry: { first: 9700, all: 91_500 },
  core: { first: 6930, files: 3 },
  worker: { entry: 219_500, core: 66_500 },
  later: 16_400,
  // A page never loads the clients of servers: these only keep them from growing unnoticed.
  clients: {
    cookie: 1850,
    custom: 1850,
    forage: 2450,
    indexeddb: 3400,
    level: 2400,
    sqlite: 3750,
    file: 5950,
    folder: 6700,
    postgres: 7400,
    redis: 9400,
    etcd: 5350,
    cloudflare: 1800,
    deno: 2300,
    lru: 2500,
    keyv: 2550,
    unstorage: 2900,
    http: 2400,
  },
  apis: {
    atomic: 9050,
    cache: 13_700,
    "cache-like": 7900,
    codec: 8950,
    compressed: 11_950,
    encrypted: 12_850,
    http: 21_800,
    limit: 9500,
    lua: 9050,
    namespace: 16_650,
    reactive: 7650,
    schema: 22_200,
    session: 5500,
    tracing: 6700,
    versioned: 18_300,
    "web-storage-like": 4300,
    "reactive/react": 7750,
    "reactive/vue": 7700,
    "reactive/svelte": 7700,
    "reactive/solid": 7700,
  },
  // What an integration adds to a program that has the store and the cores.
  integration: 1500,
};

// The same program with each library.
const page = (imports, store) => `${imports} globalThis.store = ${store};`;
const peers = {
  polystore: page('import kv from "polystore";', "kv(localStorage)"),
  unstorage: page(
    `import { createStorage } from "unstorage";
     import localStorageDriver from "unstorage/drivers/localstorage";`,
    "createStorage({ driver: localStorageDriver({}) })",
  ),
  keyv: page('import Keyv from "keyv";', "new Keyv()"),
  "idb-keyval": page('import { get, set } from "idb-keyval";', "{ get, set }"),
};
const notes = {
  unstorage: " with its `localStorage` driver",
  keyv: " in memory",
  "idb-keyval": ", `get` and `set`",
};
const entryPage = page('import kv from "anykv";', "kv(localStorage)");
const corePage = page(
  'import { kv } from "anykv/core"; import { storage } from "anykv/clients/storage";',
  "kv(storage(localStorage))",
);
const workerOf = (imports, store) =>
  `${imports}
   export default { fetch: async ({ url }, env) => Response.json(await ${store}.get(url)) };`;
const worker = workerOf('import kv from "anykv";', "kv(env.KV)");
const coreWorker = workerOf(
  'import { kv } from "anykv/core"; import { cloudflare } from "anykv/clients/cloudflare";',
  "kv(cloudflare(env.KV))",
);

const root = fileURLToPath(new URL("..", import.meta.url));
const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const hasCore = "./core" in pkg.exports;

if (!existsSync(join(root, "dist/index.js"))) {
  console.log("dist/ is missing: npm run build");
  process.exit(1);
}

const bundle = (code, options) =>
  build({
    stdin: { contents: code, resolveDir: root },
    absWorkingDir: root,
    // Without the paths of tsconfig.json, "anykv" is the built package.
    tsconfigRaw: "{}",
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "out",
    write: false,
    metafile: true,
    logLevel: "error",
    ...options,
  });

/** Bytes of a program in one file, minified: what a worker uploads. */
async function oneFile(code) {
  const { outputFiles } = await bundle(code, { external: ["node:*", "bun:*"] });
  return outputFiles[0].contents.length;
}

/**
 * The files of a program: those that it loads first, all of them, and those that each dynamic
 * import adds to the first, by the name of the imported file in dist/.
 */
async function measure(code) {
  // Frameworks are in the application already.
  const frameworks = ["@vue/reactivity", "react", "vue", "solid-js"];
  const external = [...frameworks, "fast-check", "node:*", "bun:*", ...builtinModules];
  const { outputFiles, metafile } = await bundle(code, { splitting: true, external });
  const { outputs } = metafile;
  const sizes = new Map();
  for (const { path, contents } of outputFiles) {
    sizes.set(path.slice(root.length), brotliCompressSync(contents).length);
  }

  const closure = (path, found = new Set()) => {
    if (found.has(path)) return found;
    found.add(path);
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind === "import-statement" && next in outputs) closure(next, found);
    }
    return found;
  };
  const total = (paths) => ({
    bytes: paths.reduce((sum, path) => sum + sizes.get(path), 0),
    files: paths.length,
  });

  const isFirst = (path) => outputs[path].entryPoint === "<stdin>";
  const first = closure(Object.keys(outputs).find(isFirst));
  const later = new Map();
  for (const [path, { entryPoint }] of Object.entries(outputs)) {
    if (!entryPoint?.startsWith("dist/")) continue;
    const name = entryPoint.slice("dist/".length, -".js".length).replace("chunks/", "");
    later.set(name, total([...closure(path)].filter((file) => !first.has(file))));
  }
  return { first: total([...first]), all: total([...sizes.keys()]), later };
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const failures = [];

/** Prints a size, and notes whether it is over its limit. */
function report(what, size, limit, unit = "B") {
  const isOver = limit !== undefined && size > limit;
  if (isOver) failures.push(what);
  const goal = limit === undefined ? "" : `  of ${limit}${isOver ? "  OVER" : ""}`;
  console.log(`  ${what.padEnd(44)}${String(size).padStart(7)} ${unit}${goal}`);
}

const comparison = [];
function compare(what, { first, all }, limits = {}) {
  report(`${what}, first load`, first.bytes, limits.first);
  report(`${what}, everything`, all.bytes, limits.all);
  if (limits.files !== undefined) report(`${what}, files`, all.files, limits.files, "files");
  const cell = ({ bytes, files }) =>
    `${kilobytes(bytes)} in ${files} file${files === 1 ? "" : "s"}`;
  comparison.push(`| ${what} | ${cell(first)} | ${cell(all)} |`);
}

const entry = await measure(entryPage);
compare("anykv, `kv(localStorage)`", entry, budget.entry);
if (hasCore)
  compare("`anykv/core`, `kv(storage(localStorage))`", await measure(corePage), budget.core);
for (const [name, code] of Object.entries(peers)) {
  compare(`${name} ${pkg.devDependencies[name]}${notes[name] ?? ""}`, await measure(code));
}

const parts = [];
function part(what, { bytes }, limit) {
  report(what, bytes, limit);
  parts.push(`| ${what} | ${kilobytes(bytes)} |`);
}
part("everything but single reads and writes", entry.later.get("store/lazy"), budget.later);
for (const [name, size] of entry.later) {
  const client = /^clients\/(\w+)$/.exec(name)?.[1];
  if (client !== undefined) part(client, size, budget.clients[client]);
}

const apis = [];
for (const [name, limit] of Object.entries(budget.apis)) {
  const { first } = await measure(`import * as api from "anykv/${name}"; globalThis.api = api;`);
  report(`anykv/${name}`, first.bytes, limit);
  apis.push(`| \`anykv/${name}\` | ${kilobytes(first.bytes)} |`);
}

const integrations = [];
// Entries with several integrations that a program uses one by one.
const severalIn = {
  "with/langgraph": ["langgraphCheckpointer", "langgraphStore"],
  "with/next": ["nextCacheHandler", "nextCacheHandlers"],
};
const core = `import kv from "anykv"; import { createLimiter } from "anykv/limit";
  import { createSessions } from "anykv/session";
  import { createCacheLike } from "anykv/cache-like";
  import { createWebStorageLike } from "anykv/web-storage-like";
  import { versioned } from "anykv/versioned";
  globalThis.core = [kv, createLimiter, createSessions, createCacheLike, createWebStorageLike,
    versioned];`;
const without = (await measure(core)).first.bytes;
for (const entry of Object.keys(pkg.exports).filter((name) => name.startsWith("./with/"))) {
  const name = entry.slice("./".length);
  for (const used of severalIn[name] ?? [undefined]) {
    const imported = used === undefined ? "* as api" : `{ ${used} as api }`;
    const code = `${core} import ${imported} from "anykv/${name}"; globalThis.api = api;`;
    const bytes = (await measure(code)).first.bytes - without;
    const what = used === undefined ? "" : `, \`${used}\``;
    report(`anykv/${name}${what}, added`, bytes, budget.integration);
    integrations.push(`| \`anykv/${name}\`${what} | ${kilobytes(bytes)} |`);
  }
}

const workers = [];
function upload(what, bytes, limit) {
  report(what, bytes, limit);
  workers.push(`| ${what} | ${kilobytes(bytes)} |`);
}
upload("`kv(env.KV)`", await oneFile(worker), budget.worker.entry);
if (hasCore) {
  const bytes = await oneFile(coreWorker);
  upload("`anykv/core` with `cloudflare(env.KV)`", bytes, budget.worker.core);
}

const table = (head, rows) => [head, head.replace(/[^|]+/g, "---"), ...rows].join("\n");
const tables = {
  comparison: table("| program | first load | everything |", comparison),
  parts: table("| part | brotli |", parts),
  apis: table("| entry | brotli |", apis),
  integrations: table("| integration | brotli, added |", integrations),
  workers: table("| worker | minified |", workers),
};

/** Puts the figures between the marks of a page. Returns whether the page had others. */
function fill(name) {
  const file = join(root, name);
  const text = readFileSync(file, "utf8");
  const filled = text
    .replace(/(<!-- size:initial -->).*?(<!-- \/size -->)/, `$1${kilobytes(entry.first.bytes)}$2`)
    .replace(
      /(<!-- sizes:(\w+) -->\n)[\s\S]*?(<!-- \/sizes -->)/g,
      (_, start, key, end) => `${start}${tables[key]}\n${end}`,
    );
  if (filled !== text && process.argv.includes("--write")) writeFileSync(file, filled);
  return filled !== text;
}
const stale = ["README.md", "docs/sizes.md"].filter(fill);
if (stale.length > 0 && !process.argv.includes("--write")) {
  failures.push(...stale);
  console.error(`${stale.join(" and ")} print other sizes: npm run size -- --write`);
}
process.exitCode = failures.length > 0 ? 1 : 0;
