// What a browser loads, minified and compressed with brotli, against the budget.
//   node scripts/sizes.mjs           a table; exit code 1 when something is over its budget
//   node scripts/sizes.mjs --json    the same as JSON
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const budget = { initial: 4000, client: 1500, all: 11_000 };

if (!existsSync(join(root, "dist/index.js"))) {
  console.log("dist/ is missing: npm run build");
  process.exit(1);
}

/** Bundles `code` as an application would, into chunks: name → { bytes, imports, source }. */
async function bundle(code) {
  const { metafile, outputFiles } = await build({
    stdin: { contents: code, resolveDir: root },
    absWorkingDir: root,
    alias: { anykv: "./dist/index.js" },
    external: ["node:*", "bun:*"],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    splitting: true,
    metafile: true,
    write: false,
    outdir: "out",
    logLevel: "error",
  });
  const contents = new Map(outputFiles.map((file) => [basename(file.path), file.contents]));
  return new Map(
    Object.entries(metafile.outputs).map(([path, { imports, entryPoint }]) => [
      basename(path),
      { bytes: brotliCompressSync(contents.get(basename(path))).length, imports, entryPoint },
    ]),
  );
}

/** The chunk and everything that it loads at once. */
function closure(chunks, name, seen = new Set()) {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const { path, kind, external } of chunks.get(name).imports) {
    if (!external && kind === "import-statement") closure(chunks, basename(path), seen);
  }
  return seen;
}

const sum = (chunks, names) => [...names].reduce((total, name) => total + chunks.get(name).bytes, 0);

const main = await bundle('import kv from "anykv"; globalThis.store = kv(localStorage);');
const initial = closure(main, "stdin.js");
const sizes = { initial: sum(main, initial), clients: {}, all: sum(main, main.keys()), entries: {} };
for (const [name, { entryPoint }] of main) {
  if (!entryPoint?.startsWith("dist/")) continue;
  const own = [...closure(main, name)].filter((chunk) => !initial.has(chunk));
  sizes.clients[basename(entryPoint, ".js")] = sum(main, own);
}

const problems = [];
const check = (what, bytes, limit) => {
  if (bytes > limit) problems.push(`${what}: ${bytes} bytes, over its budget of ${limit}`);
};
check("initial", sizes.initial, budget.initial);
for (const [name, bytes] of Object.entries(sizes.clients)) check(name, bytes, budget.client);
check("all", sizes.all, budget.all);
for (const name of initial) {
  for (const { path, external, kind } of main.get(name).imports) {
    if (external && kind === "import-statement") problems.push(`initial: a browser cannot load its import of ${path}`);
  }
}

// For information: entries that an application imports by name, each alone.
for (const name of ["codec"]) {
  if (!readdirSync(join(root, "dist")).includes(`${name}.js`)) continue;
  const chunks = await bundle(`export * from "./dist/${name}.js";`);
  sizes.entries[name] = sum(chunks, chunks.keys());
}

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ budget, ...sizes }, null, 2));
} else {
  const row = (what, bytes, limit) =>
    console.log(`  ${what.padEnd(28)}${String(bytes).padStart(6)} B${limit ? `  of ${limit}` : ""}`);
  row("kv(localStorage), initial", sizes.initial, budget.initial);
  for (const [name, bytes] of Object.entries(sizes.clients).sort()) row(`  + ${name}`, bytes, budget.client);
  row("all of it", sizes.all, budget.all);
  for (const [name, bytes] of Object.entries(sizes.entries)) row(`anykv/${name}, alone`, bytes);
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
