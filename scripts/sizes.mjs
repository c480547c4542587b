// What a browser loads, minified and compressed with brotli, against the budget.
//   node scripts/sizes.mjs            a table; exit code 1 when something is over its budget
//   node scripts/sizes.mjs --write    the same, and writes the figures into README.md
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
// The clients of servers are never loaded by a page: theirs only keep them from growing unnoticed.
const budget = {
  initial: 7250,
  operations: 3700,
  all: 46_500,
  codec: 4700,
  namespace: 11_100,
  schema: 14_000,
  reactive: 3050,
  binding: 500,
  clients: { memory: 620, cookie: 1050, custom: 1050, forage: 950, indexeddb: 1750, level: 1150, sqlite: 2500, file: 4200, folder: 4400, postgres: 5500, redis: 5300, etcd: 3900, cloudflare: 1600, deno: 1700, lru: 640, keyv: 1600, unstorage: 1600, http: 1750 },
};

if (!existsSync(join(root, "dist/index.js"))) {
  console.log("dist/ is missing: npm run build");
  process.exit(1);
}

/** Bytes of a program in one file, without what it only loads later unless `whole`; and what it imports later. */
async function bundle(code, whole = false) {
  const later = new Set();
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root },
    absWorkingDir: root,
    alias: { anykv: "./dist/index.js" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "error",
    // What the user has anyway.
    external: ["@vue/reactivity", "react", "vue", "solid-js"],
    plugins: [
      {
        name: "later",
        setup({ onResolve }) {
          onResolve({ filter: /.*/ }, ({ path, kind }) => {
            if (kind !== "dynamic-import" || whole) return undefined;
            later.add(path);
            return { path, external: true };
          });
        },
      },
    ],
  });
  return { bytes: brotliCompressSync(outputFiles[0].contents).length, later };
}

const page = 'import kv from "anykv"; globalThis.store = kv(localStorage);';
const { bytes: initial, later } = await bundle(page);
// Each in the company of what is loaded already, as a bundler that splits by dynamic imports would serve it.
const further = async (path) => (await bundle(`${page} import * as further from "./dist/${path}"; globalThis.further = further;`)).bytes - initial;

const rows = [["`kv(localStorage)`", initial, budget.initial]];
const pathOf = (name) => [...later].find((path) => basename(path).startsWith(name)).replace("./", "");
rows.push(["+ everything but `get` `set` `has` `del`", await further(pathOf("operations")), budget.operations]);
for (const path of [...later].filter((path) => path.includes("clients/"))) {
  const name = basename(path, ".js");
  rows.push([`+ ${name}`, await further(path.replace("./", "")), budget.clients[name] ?? 1500]);
}
rows.push(["all of it", (await bundle(page, true)).bytes, budget.all]);
const face = async (...files) => (await bundle(files.map((name) => `export * from "./dist/${name}";`).join(""))).bytes;
for (const name of ["namespace", "schema"]) rows.push([`\`anykv/${name}\``, await face(`${name}.js`), budget[name]]);
const states = await face("reactive.js");
rows.push(["`anykv/reactive`", states, budget.reactive]);
const { later: backends } = await bundle('export * from "./dist/reactive.js";');
for (const [what, name, limit] of [["IndexedDB", "idb", 2500], ["a store", "store-backend", 1410]]) {
  const backend = [...backends].find((path) => basename(path).startsWith(name)).replace("./", "");
  rows.push([`+ for ${what}`, (await face("reactive.js", backend)) - states, limit]);
}
for (const name of ["react", "vue", "svelte", "solid"]) rows.push([`+ \`anykv/reactive/${name}\``, (await face("reactive.js", `reactive/${name}.js`)) - states, budget.binding]);
rows.push(["`anykv/codec`", (await bundle('export * from "./dist/codec.js";', true)).bytes, budget.codec]);

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
for (const [what, bytes, limit] of rows) console.log(`  ${what.padEnd(42)}${String(bytes).padStart(6)} B  of ${limit}${bytes > limit ? "  OVER" : ""}`);

const file = join(root, "README.md");
const readme = readFileSync(file, "utf8");
const table = ["| what a browser loads | minified, brotli |", "|---|---|", ...rows.map(([what, bytes]) => `| ${what} | ${kilobytes(bytes)} |`)].join("\n");
const written = readme
  .replace(/(<!-- size:initial -->).*?(<!-- \/size -->)/, `$1${kilobytes(initial)}$2`)
  .replace(/(<!-- sizes -->\n)[\s\S]*?(<!-- \/sizes -->)/, `$1${table}\n$2`);
if (process.argv.includes("--write")) writeFileSync(file, written);
else if (written !== readme) console.error("README.md prints other sizes: npm run size -- --write");
process.exitCode = rows.some(([, bytes, limit]) => bytes > limit) || (written !== readme && !process.argv.includes("--write")) ? 1 : 0;
