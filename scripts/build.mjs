// Builds dist/ from the `exports` of package.json.
//   node scripts/build.mjs         JavaScript and declarations
//   node scripts/build.mjs --js    JavaScript only
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { rolldown } from "rolldown";
import { node, root, seconds } from "./setup.mjs";

const dist = join(root, "dist");
const types = join(dist, "types");
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const filesIn = (folder) => readdirSync(folder, { recursive: true }).map((path) => join(folder, path));

/** Every entry that has a source: `{ types, default }`. */
const targets = Object.values(exports).filter((target) => target.types);

/** "./dist/types/atomic/index.d.ts" → "src/atomic/index.ts" */
const sourceOf = ({ types: file }) => join(root, file.replace("./dist/types", "src").replace(".d.ts", ".ts"));
/** "./dist/atomic.js" → "atomic" */
const nameOf = ({ default: file }) => file.slice("./dist/".length, -".js".length);

/** "src/disk/node.ts" → "chunks/disk/node.js" */
function chunkName({ name, moduleIds }) {
  const path = name === "core" ? name : relative(join(root, "src"), moduleIds.at(-1)).replace(".ts", "");
  return `chunks/${path}.js`;
}

/** The modules that the root entry imports statically, and those that they import. */
function staticImports(context, id, found = new Set()) {
  if (found.has(id)) return found;
  found.add(id);
  for (const imported of context.getModuleInfo(id)?.importedIds ?? []) staticImports(context, imported, found);
  return found;
}

async function buildJavaScript() {
  let core;
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(targets.map((target) => [nameOf(target), sourceOf(target)])),
    platform: "neutral",
    tsconfig: false,
    // An inlined constant would leave an import without names, of which esbuild warns.
    optimization: { inlineConst: false },
    transform: { target: "es2022" },
    // Packages stay imports, so that the package check sees an undeclared dependency. devalue is bundled.
    external: (id) => /^[@\w]/.test(id) && id !== "devalue",
    plugins: [
      {
        name: "core",
        buildEnd() {
          core = staticImports(this, sourceOf(exports["."]));
        },
      },
    ],
  });
  await bundle.write({
    dir: dist,
    entryFileNames: "[name].js",
    chunkFileNames: chunkName,
    minifyInternalExports: false,
    comments: { legal: true, annotation: true, jsdoc: false },
    // src/ is in the package.
    sourcemap: true,
    sourcemapExcludeSources: true,
    // One file instead of many small ones: what the root entry shares with the other entries.
    codeSplitting: { groups: [{ name: "core", test: (id) => core.has(id), minShareCount: 2 }] },
  });
  await bundle.close();
  for (const file of filesIn(dist)) if (file.endsWith(".js.map")) includeBundledSources(file);
}

/** What `require("anykv")` loads: `kv` itself, with every export as a member. */
function writeRequire() {
  writeFileSync(
    join(root, exports["."].require.default),
    'const exported = require("./index.js");\n\nmodule.exports = Object.assign(exported.kv, exported);\n',
  );
  writeFileSync(
    join(root, exports["."].require.types),
    `import type * as exported from "./types/index.js" with { "resolution-mode": "import" };

declare const required: typeof exported.kv & typeof exported;
export = required;
`,
  );
}

/** Puts the source of bundled packages into a source map. They are not in the package, unlike src/. */
function includeBundledSources(file) {
  const map = JSON.parse(readFileSync(file, "utf8"));
  const content = (source) =>
    source.includes("node_modules") ? readFileSync(resolve(dirname(file), source), "utf8") : null;
  if (map.sources.some((source) => source.includes("node_modules"))) {
    writeFileSync(file, JSON.stringify({ ...map, sourcesContent: map.sources.map(content) }));
  }
}

/** The declarations that a declaration imports. */
const importsOf = (file, text) =>
  [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)\.js"/g)].map(([, path]) => resolve(dirname(file), `${path}.d.ts`));

async function buildDeclarations() {
  const compiler = spawn(node, ["node_modules/ts7/bin/tsc", "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
  const [code] = await once(compiler, "close");
  if (code !== 0) throw new Error(`the declarations were not written (exit code ${code})`);

  const kept = new Set();
  const keep = (file) => {
    if (kept.has(file)) return;
    kept.add(file);
    // The compiler leaves import paths as they are in the source. Both endings have the same length, so the map stays right.
    const text = readFileSync(file, "utf8").replace(/((?:from|import\()\s*"\.[^"]+)\.ts"/g, '$1.js"');
    writeFileSync(file, text);
    for (const imported of importsOf(file, text)) keep(imported);
  };
  for (const target of targets) keep(join(root, target.types));
  for (const file of filesIn(types)) {
    if (!file.endsWith(".d.ts") || kept.has(file)) continue;
    for (const unused of [file, `${file}.map`]) rmSync(unused);
  }
}

const start = performance.now();
const missing = targets.map(sourceOf).filter((file) => !existsSync(file));
if (missing.length > 0) throw new Error(`package.json exports what has no source: ${missing.join(", ")}`);
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
writeRequire();
await Promise.all([buildJavaScript(), ...(process.argv.includes("--js") ? [] : [buildDeclarations()])]);
console.log(`build  dist/ is written (${seconds(start)})`);
