// Packs the built package and checks the tarball as its users receive it.
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { besideOlderMajors } from "./older-majors.mjs";
import { env, node, root } from "./setup.mjs";

const pkg = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(pkg.exports).filter(([path]) => path !== "./package.json");
const dist = join(root, "dist");

/** Runs a program, and resolves to its output. */
const run = async (command, args, cwd = root) =>
  (await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 })).stdout;

let failed = 0;

/** One check. `test` calls `expect` for each condition, and may return a remark. */
async function check(what, test) {
  const problems = [];
  let remark = "";
  try {
    remark = await test((condition, problem) => condition || problems.push(problem));
  } catch (error) {
    const output = [error.stdout, error.stderr].filter(Boolean).join("\n").trim();
    problems.push(output || error.message);
  }
  failed += problems.length;
  console.log(`  ${problems.length === 0 ? "ok    " : "FAILED"}  ${what}`);
  for (const text of [...problems, remark].filter(Boolean))
    console.log(`          ${text.replaceAll("\n", "\n          ")}`);
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name));

/** "@scope/name/sub" → "@scope/name" */
const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

if (!existsSync(join(dist, "types/index.d.ts"))) {
  console.log("dist/ is missing: npm run build");
  process.exit(1);
}

const dependencies = Object.keys(pkg.dependencies);
const peers = Object.keys(pkg.peerDependencies);
// A peer that is passed to a function of ours, and imported by the application alone.
const passed = ["wasmoon"];
const imported = peers.filter((name) => !passed.includes(name));

/** Every import of dist/ that leads out of it. */
async function externalImports() {
  const { metafile } = await build({
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
  });
  return Object.values(metafile.inputs).flatMap((input) =>
    input.imports.filter(({ external }) => external),
  );
}

await check("every export names files that exist, types first", (expect) => {
  const visit = (path, targets) => {
    const conditions = Object.keys(targets).filter((name) => name !== "require");
    expect(conditions.join() === "types,default", `${path}: conditions must be types, default`);
    for (const target of Object.values(targets)) {
      if (typeof target === "object") visit(path, target);
      else expect(existsSync(join(root, target)), `${path}: ${target} is missing`);
    }
  };
  for (const [path, targets] of entries) visit(path, targets);
});

await check("every client has its export, and every exported client its source", (expect) => {
  const parts = new Set(
    "adapter client define detect manifests requires shared unknown".split(" "),
  );
  const sources = readdirSync(join(root, "src/clients"))
    .map((name) => name.replace(".ts", ""))
    .filter((name) => !parts.has(name));
  const prefix = "./clients/";
  const exported = entries.flatMap(([path]) =>
    path.startsWith(prefix) ? [path.slice(prefix.length)] : [],
  );
  for (const name of sources) expect(exported.includes(name), `src/clients/${name} has no export`);
  for (const name of exported) expect(sources.includes(name), `./clients/${name} has no source`);
});

await check("every peer is optional, of any version, and needed by an entry", async (expect) => {
  const names = new Set((await externalImports()).map(({ path }) => packageOf(path)));
  for (const name of peers) {
    expect(pkg.peerDependenciesMeta[name]?.optional === true, `${name} is not optional`);
    expect(
      pkg.peerDependencies[name] === "*",
      `${name} has a version range: npm would refuse other versions`,
    );
  }
  for (const name of imported) expect(names.has(name), `no entry imports the peer ${name}`);
  for (const name of names) {
    const isBuiltIn = name.startsWith("node:") || name === "bun:sqlite";
    const isDeclared = [...dependencies, ...imported].includes(name);
    expect(
      isBuiltIn || isDeclared,
      `dist imports ${name}, which is neither a dependency nor an optional peer`,
    );
  }
});

await check("declarations need no client library", (expect) => {
  for (const file of filesIn(dist).filter((name) => name.endsWith(".d.ts"))) {
    // Examples in comments import what they like.
    const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, specifier] of text.matchAll(
      /(?:\bfrom\s+|\bimport\s*\(?\s*)["']([^"'.][^"']*)["']/g,
    )) {
      const known = [...dependencies, ...imported].includes(packageOf(specifier));
      expect(known, `${relative(root, file)} imports ${specifier}`);
    }
    expect(!/\/\/\/\s*<reference/.test(text), `${relative(root, file)} has a reference directive`);
  }
});

await check("a bundle contains nothing of core.js that it does not use", async (expect) => {
  // As if package.json did not promise that files have no side effects.
  const onPath = ({ path, resolveDir, kind }) =>
    kind === "dynamic-import"
      ? { path, external: true }
      : { path: join(resolveDir, path), sideEffects: true };
  const { outputFiles } = await build({
    stdin: { contents: 'import "./dist/chunks/core.js";', resolveDir: root },
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
    plugins: [
      { name: "effects", setup: ({ onResolve }) => onResolve({ filter: /^\.\// }, onPath) },
    ],
  });
  const calls = outputFiles[0].text.split("\n").filter((line) => /[({]/.test(line));
  expect(calls.length === 0, `these stay: ${calls.slice(0, 5).join(" ")}`);
});

await check("every source map names sources that are in the package", (expect) => {
  for (const file of filesIn(dist).filter((name) => name.endsWith(".map"))) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(file, "utf8"));
    for (const [i, source] of sources.entries()) {
      const path = relative(root, resolve(dirname(file), source));
      const isPacked = path.startsWith("src/") && existsSync(join(root, path));
      expect(isPacked || sourcesContent?.[i], `${relative(root, file)} names ${path}`);
    }
  }
});

/**
 * Installs the tarball in an empty project, with the peers that entries import and the oldest
 * compiler that is supported.
 */
async function checkInstalled(folder, tarball) {
  const user = join(folder, "user");
  const specifiers = entries.map(([path]) => pkg.name + path.slice(1));
  await check("installs in an empty folder", async () => {
    mkdirSync(user);
    writeFileSync(
      join(user, "package.json"),
      JSON.stringify({ name: "user", private: true, type: "module" }),
    );
    const beside = imported.map((name) => `${name}@${pkg.devDependencies[name]}`);
    const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
    await run("npm", ["install", ...flags, tarball, ...beside, "typescript@5.4.5"], user);
  });

  await check("every export can be imported there", async () => {
    const lines = specifiers.map((name) => `await import(${JSON.stringify(name)});`);
    writeFileSync(join(user, "imports.mjs"), lines.join("\n"));
    await run(node, ["imports.mjs"], user);
  });

  await check('require("anykv") is kv() there, also in a bundle and for the compiler', async () => {
    const program = `
      import kv = require("anykv");
      const store = kv<number>(new Map());
      store.set("key", 1).then(() => store.get("key")).then((value: number | null) => {
        if (value !== 1 || kv.kv !== kv || kv.default !== kv) throw new Error("it is not kv()");
        if (!kv.isKvError(new kv.KvError("KV_CLOSED", ""))) throw new Error("exports are missing");
      });`;
    writeFileSync(join(user, "require.cts"), program);
    const flags = "--target es2022 --lib es2022,dom --module nodenext --strict require.cts";
    await run(node, [join(root, "node_modules/ts7/bin/tsc"), ...flags.split(" ")], user);
    await run(node, ["require.cjs"], user);
    await run(
      "esbuild",
      ["require.cjs", "--bundle", "--platform=node", "--outfile=bundle.cjs", "--log-level=error"],
      user,
    );
    await run(node, ["bundle.cjs"], user);
  });

  await check(
    "every declaration compiles there, without @types/node, with TypeScript 5.4, 6 and 7",
    async () => {
      const lines = specifiers.map(
        (name, index) => `export * as e${index} from ${JSON.stringify(name)};`,
      );
      writeFileSync(join(user, "types.ts"), lines.join("\n"));
      const flags =
        "--noEmit --strict --exactOptionalPropertyTypes" +
        " --target es2022 --lib es2022,dom --module nodenext";
      const compilers = [
        join(user, "node_modules/typescript"),
        ...["typescript", "ts7"].map((name) => join(root, "node_modules", name)),
      ];
      for (const compiler of compilers)
        await run(node, [join(compiler, "bin/tsc"), ...flags.split(" "), "types.ts"], user);
    },
  );
}

const folder = mkdtempSync(join(tmpdir(), "anykv-package-"));
try {
  let tarball = "";
  await check("npm pack", async (expect) => {
    const report = JSON.parse(
      await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]),
    );
    // npm 11 answers an array, later ones an object by name.
    const { filename, files, size } = Object.values(report)[0];
    tarball = join(folder, filename);
    const expected = /^(dist|docs|src)\/|^[A-Z]+(\.md)?$|^package\.json$/;
    const stray = files.map(({ path }) => path).filter((path) => !expected.test(path));
    expect(stray.length === 0, `stray files: ${stray.join(", ")}`);
    for (const name of ["LICENSE", "README.md", "CHANGELOG.md"]) {
      expect(
        files.some(({ path }) => path === name),
        `${name} is not in the package`,
      );
    }
    return `${files.length} files, ${(size / 1000).toFixed(1)} kB`;
  });

  await Promise.all([
    check("publint", async () => void (await run("publint", ["run", tarball, "--strict"]))),
    check(
      "attw",
      async () =>
        void (await run("attw", [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"])),
    ),
    check("installs and works beside older majors", async () => {
      const beside = await besideOlderMajors(tarball, folder, { run, node });
      return beside.map((name) => `beside ${name}: ok`).join("\n");
    }),
    checkInstalled(folder, tarball),
  ]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log(failed === 0 ? "  the package is sound" : `  ${failed} problems`);
process.exitCode = failed > 0 ? 1 : 0;
