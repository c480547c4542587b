// Packs the built package and checks the tarball as its users will meet it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { env, node, root } from "./setup.mjs";

const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(pkg.exports).filter(([path]) => path !== "./package.json");
const dist = join(root, "dist");
const problems = [];

const run = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

function check(what, test) {
  const before = problems.length;
  try {
    test();
  } catch (error) {
    const output = [error.stdout, error.stderr].filter(Boolean).join("\n").trim();
    problems.push(`${what}: ${output || error.message}`);
  }
  console.log(`  ${problems.length === before ? "ok    " : "FAILED"}  ${what}`);
  for (const problem of problems.slice(before)) console.log(`          ${problem.replaceAll("\n", "\n          ")}`);
}

const expect = (condition, problem) => {
  if (!condition) problems.push(problem);
};

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath ?? item.path, item.name));

/** "@scope/name/sub" → "@scope/name" */
const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

if (!existsSync(join(dist, "index.js"))) {
  console.log("dist/ is missing: npm run build");
  process.exit(1);
}

const dependencies = Object.keys(pkg.dependencies);
const peers = Object.keys(pkg.peerDependencies);
// What some entries import at once: the suite of clients runs on the first, states are of the second, and each binding is of its framework.
const imported = ["fast-check", "@vue/reactivity", "react", "solid-js", "vue"];
const imports = Object.values(
  (
    await build({
      entryPoints: filesIn(dist).filter((file) => file.endsWith(".js")),
      absWorkingDir: root,
      bundle: true,
      packages: "external",
      external: ["node:*", "bun:*"],
      format: "esm",
      platform: "neutral",
      metafile: true,
      write: false,
      outdir: "out",
      logLevel: "error",
    })
  ).metafile.inputs,
).flatMap((input) => input.imports.filter(({ external }) => external));

check("every export names files that exist, types first", () => {
  for (const [path, targets] of entries) {
    expect(Object.keys(targets).join() === "types,default", `${path}: conditions must be types, default`);
    for (const file of Object.values(targets)) expect(existsSync(join(root, file)), `${path}: ${file} is missing`);
  }
});

check("every client has its export, and every exported client its source", () => {
  const sources = readdirSync(join(root, "src/clients"))
    .filter((file) => file.endsWith(".ts") && file !== "define.ts")
    .map((file) => file.slice(0, -3));
  const prefix = "./clients/";
  const exported = entries.flatMap(([path]) => (path.startsWith(prefix) ? [path.slice(prefix.length)] : []));
  for (const name of sources) expect(exported.includes(name), `src/clients/${name}.ts has no export`);
  for (const name of exported) expect(sources.includes(name), `./clients/${name} has no source`);
});

check("every peer is optional, and no other package is needed at run time", () => {
  for (const name of peers) expect(pkg.peerDependenciesMeta[name]?.optional === true, `${name} is not optional`);
  for (const { path } of imports) {
    const isBuiltIn = path.startsWith("node:") || path === "bun:sqlite";
    const isDeclared = [...dependencies, ...peers].includes(packageOf(path));
    expect(isBuiltIn || isDeclared, `dist imports ${path}, which is neither a dependency nor an optional peer`);
  }
});

check("declarations need no client library", () => {
  for (const file of filesIn(dist).filter((name) => name.endsWith(".d.ts"))) {
    // Examples in comments import what they like.
    const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, specifier] of text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)["']([^"'.][^"']*)["']/g)) {
      const known = [...dependencies, ...imported].includes(packageOf(specifier));
      expect(known, `${relative(root, file)} imports ${specifier}`);
    }
    expect(!/\/\/\/\s*<reference/.test(text), `${relative(root, file)} has a reference directive`);
  }
});

const folder = mkdtempSync(join(tmpdir(), "anykv-package-"));
try {
  let tarball = "";
  check("npm pack", () => {
    const report = JSON.parse(run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]));
    // npm 11 answers an array, later ones an object by name.
    const { filename, files, size } = Object.values(report)[0];
    tarball = join(folder, filename);
    const expected = /^(dist|docs|src)\/|^[A-Z]+(\.md)?$|^package\.json$/;
    const stray = files.map(({ path }) => path).filter((path) => !expected.test(path));
    expect(stray.length === 0, `stray files: ${stray.join(", ")}`);
    for (const name of ["LICENSE", "README.md", "CHANGELOG.md"]) {
      expect(files.some(({ path }) => path === name), `${name} is not in the package`);
    }
    console.log(`          ${files.length} files, ${(size / 1000).toFixed(1)} kB`);
  });

  check("publint", () => run("publint", ["run", tarball, "--strict"]));
  check("attw", () => run("attw", [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]));

  const user = join(folder, "user");
  const specifiers = entries.map(([path]) => pkg.name + path.slice(1));
  check("installs in an empty folder", () => {
    mkdirSync(user);
    writeFileSync(join(user, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
    // No client library is.
    const beside = imported.map((name) => `${name}@${pkg.devDependencies[name]}`);
    run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball, ...beside], user);
  });

  check("every export can be imported there", () => {
    const lines = specifiers.map((name) => `await import(${JSON.stringify(name)});`);
    writeFileSync(join(user, "imports.mjs"), lines.join("\n"));
    run(node, ["imports.mjs"], user);
  });

  check("every declaration compiles there, without @types/node", () => {
    const lines = specifiers.map((name, index) => `export * as e${index} from ${JSON.stringify(name)};`);
    writeFileSync(join(user, "types.ts"), lines.join("\n"));
    const flags = "--noEmit --strict --exactOptionalPropertyTypes --target es2022 --lib es2022,dom --module nodenext";
    for (const compiler of ["ts7", "typescript"]) {
      run(node, [join(root, "node_modules", compiler, "bin/tsc"), ...flags.split(" "), "types.ts"], user);
    }
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log(problems.length === 0 ? "  the package is sound" : `  ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
