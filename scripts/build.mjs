// Builds dist/ from the `exports` of package.json.
//   node scripts/build.mjs         JavaScript and declarations
//   node scripts/build.mjs --js    JavaScript only
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { rolldown, RolldownMagicString } from "rolldown";
import { parseAst } from "rolldown/parseAst";
import { node, root, seconds } from "./setup.mjs";

const src = join(root, "src");
const dist = join(root, "dist");
const types = join(dist, "types");
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true }).map((path) => join(folder, path));

/** Every entry that has a source: `{ types, default }`. */
const targets = Object.values(exports).filter((target) => target.types);

/** "./dist/types/atomic/index.d.ts" → "src/atomic/index.ts" */
const sourceOf = (target) =>
  join(root, target.types.replace("./dist/types", "src").replace(".d.ts", ".ts"));
/** "./dist/atomic.js" → "atomic" */
const nameOf = (target) => target.default.slice("./dist/".length, -".js".length);

/** "src/platform/node.ts" → "chunks/platform/node.js" */
function chunkName({ name, moduleIds }) {
  if (["core", "root", "cache"].includes(name)) return `chunks/${name}.js`;
  // The helpers of the bundler are no files.
  const file = moduleIds.findLast((id) => !id.startsWith("\0"));
  const path = file === undefined ? `${name}.ts` : relative(src, file);
  return `chunks/${path.replace(".ts", ".js")}`;
}

/** The module, those that it imports statically, and those that these import. */
function staticImports(context, id, found = new Set()) {
  if (found.has(id)) return found;
  found.add(id);
  const { importedIds = [] } = context.getModuleInfo(id) ?? {};
  for (const imported of importedIds) staticImports(context, imported, found);
  return found;
}

/**
 * Marks the constants that are made by a call or a spread. Without the mark, a bundler keeps them
 * in programs that do not use them.
 */
function markConstants(code) {
  const marked = new RolldownMagicString(code);
  for (const { type, kind, declarations } of parseAst(code).body) {
    if (type !== "VariableDeclaration" || kind !== "const") continue;
    for (const { init } of declarations) {
      const isMarked = code.slice(0, init.start).endsWith("/* @__PURE__ */ ");
      const isPlain = init.type.includes("Function") || init.type === "Literal";
      const hasEffects = /\(|\.\.\./.test(code.slice(init.start, init.end));
      if (isMarked || isPlain || !hasEffects) continue;
      marked.appendLeft(init.start, "/* @__PURE__ */ (() => (").appendRight(init.end, "))()");
    }
  }
  return { code: marked.toString(), map: marked.generateMap({ hires: true }).toString() };
}

async function buildJavaScript() {
  let core;
  let shared;
  let cache;
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(targets.map((target) => [nameOf(target), sourceOf(target)])),
    platform: "neutral",
    tsconfig: false,
    // An inlined constant would leave an import without names, of which esbuild warns.
    optimization: { inlineConst: false },
    checks: { bundlerTimings: false },
    transform: { target: "es2022" },
    // Packages stay imports, so that the package check sees an undeclared dependency.
    // devalue is bundled.
    external: (id) => /^[@\w]/.test(id) && id !== "devalue",
    plugins: [
      {
        name: "core",
        buildEnd() {
          const index = sourceOf(exports["."]);
          core = staticImports(this, index);
          // An entry that imports the root entry loads the file of that entry.
          const others = targets.map((target) => staticImports(this, sourceOf(target)));
          cache = staticImports(this, sourceOf(exports["./cache"]));
          const closures = others.filter((closure) => !closure.has(index));
          shared = new Set(closures.flatMap((closure) => [...closure]));
        },
        renderChunk: (code, { name }) => (name === "core" ? markConstants(code) : null),
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
    // A few files instead of many small ones: what the root entry shares with the other entries,
    // the rest of the root entry, and what the cache loads first.
    codeSplitting: {
      groups: [
        { name: "core", test: (id) => core.has(id) && shared.has(id), minShareCount: 2 },
        { name: "root", test: (id) => core.has(id) && !shared.has(id) },
        { name: "cache", test: (id) => cache.has(id) && id.includes("/src/cache/") },
      ],
    },
  });
  await bundle.close();
  for (const file of filesIn(dist)) if (file.endsWith(".js.map")) includeBundledSources(file);
}

/** Puts the source of bundled packages into a source map: the package contains only src/. */
function includeBundledSources(file) {
  const map = JSON.parse(readFileSync(file, "utf8"));
  const isBundled = (source) => source.includes("node_modules");
  if (!map.sources.some(isBundled)) return;
  const sourcesContent = map.sources.map((source) =>
    isBundled(source) ? readFileSync(resolve(dirname(file), source), "utf8") : null,
  );
  writeFileSync(file, JSON.stringify({ ...map, sourcesContent }));
}

/** What `require("anykv")` loads: `kv` itself, with every export as a member. */
function writeRequire() {
  const target = exports["."].require;
  writeFileSync(
    join(root, target.default),
    `const exported = require("./index.js");

module.exports = Object.assign(exported.kv, exported);
`,
  );
  writeFileSync(
    join(root, target.types),
    `import type * as exported from "./types/index.js" with { "resolution-mode": "import" };

declare const required: typeof exported.kv & typeof exported;
export = required;
`,
  );
}

/** The declarations that a declaration imports. */
function importsOf(file, text) {
  const paths = text.matchAll(/(?:from|import\()\s*"(\.[^"]+)\.js"/g);
  return [...paths].map(([, path]) => resolve(dirname(file), `${path}.d.ts`));
}

async function buildDeclarations() {
  const command = ["node_modules/ts7/bin/tsc", "-p", "tsconfig.build.json"];
  const compiler = spawn(node, command, { cwd: root, stdio: "inherit" });
  const [code] = await once(compiler, "close");
  if (code !== 0) throw new Error(`the declarations were not written (exit code ${code})`);

  const kept = new Set();
  const keep = (file) => {
    if (kept.has(file)) return;
    kept.add(file);
    // The compiler leaves import paths as they are in the source. Both endings have the same
    // length, so the map stays right.
    const path = /((?:from|import\()\s*"\.[^"]+)\.ts"/g;
    const text = readFileSync(file, "utf8").replace(path, '$1.js"');
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
if (missing.length > 0) throw new Error(`package.json exports without a source: ${missing}`);
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
writeRequire();
const isFull = !process.argv.includes("--js");
await Promise.all([buildJavaScript(), isFull && buildDeclarations()]);
console.log(`build  dist/ is written (${seconds(start)})`);
