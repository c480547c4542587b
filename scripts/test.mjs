// npm test: sets the machine up, runs every check, and ends with one line that counts them.
//   node scripts/test.mjs                 everything
//   node scripts/test.mjs types lint      these steps only
//   node scripts/test.mjs unit node       the tests of these vitest projects only
// Options
//   --stall=600      a run of tests ends when no test file has finished for this many seconds
//   --root=folder    runs the tests of another folder, and installs nothing
// Only built-in modules, and nothing newer than Node 20: it starts before anything is installed.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { parseArgs } from "node:util";
import { endedBy, endWithThis, run } from "./process-group.mjs";
import { add, failure, readResults, results, summary } from "./results.mjs";
import { env, node, root, seconds, setup } from "./setup.mjs";
import useTemporaryFolder from "./temporary.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { stall: { type: "string", default: "300" }, root: { type: "string", default: root } },
});
const stall = Number(options.stall) * 1000;
const projects = ["unit", "node", "servers", "docs", "browser"];

// A step without test files may take longer: it shows no progress until its end.
const wholeStall = 3 * stall;

const why = ({ code, stalled }) => (stalled ? "it made no progress" : `exit code ${code}`);

const exec = (command, args, { out, extra, ...limits }) =>
  run(command, args, {
    cwd: root,
    stdio: ["ignore", out, out],
    env: { ...process.env, PATH: env.PATH, ...extra },
    ...limits,
  });

/** A step that passes or fails as a whole. */
const whole =
  (name, command, ...args) =>
  async (out) => {
    const ended = await exec(command, args, { out, stall: wholeStall });
    if (ended.code === 0) return results({ passed: 1 });
    if (endedBy()) return results({ notRun: [name] });
    return failure(name, why(ended), `node scripts/test.mjs ${name}`);
  };

/** Runs a command that appends its results to the file that ANYKV_RESULTS names. */
async function counted(name, command, args, out) {
  const folder = mkdtempSync(join(tmpdir(), "anykv-results-"));
  const file = join(folder, "results.jsonl");
  const ended = await exec(command, args, {
    out,
    extra: { ANYKV_RESULTS: file },
    stall,
    progress: file,
  });
  const total = readResults(file, ended.stalled ? `${options.stall} s` : undefined);
  rmSync(folder, { recursive: true, force: true });
  // A command can fail for reasons that are no test's, such as a worker that died.
  const isUnexplained = ended.code !== 0 && total.failed === 0 && !endedBy();
  if (isUnexplained) add(total, failure(name, why(ended), `node scripts/test.mjs ${name}`));
  return total;
}

async function vitest(names, { missing }, out) {
  const able = names.filter((name) => name !== "browser" || !missing.includes("chromium"));
  const reporters = ["--reporter=default", "--reporter=./scripts/reporter.ts"];
  const chosen = options.root === root ? able.map((name) => `--project=${name}`) : [];
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    `--root=${options.root}`,
    ...chosen,
    ...reporters,
  ];
  const total = await counted("vitest", node, args, out);
  for (const name of names)
    if (!able.includes(name)) total.notRun.push(`${name}: Chromium is missing`);
  return total;
}

const steps = {
  build: whole("build", node, "scripts/build.mjs"),
  types: whole("types", "npm", "run", "types", "--silent"),
  lint: whole("lint", "npm", "run", "lint", "--silent"),
  package: whole("package", node, "scripts/check-package.mjs"),
  sizes: whole("sizes", node, "scripts/sizes.mjs"),
  runtimes: (out) => counted("runtimes", node, ["scripts/runtimes.mjs"], out),
  vitest: (out) => vitest(chosenProjects, state, out),
};
const needsBuild = new Set(["package", "sizes", "runtimes"]);

const unknown = positionals.filter((name) => !(name in steps) && !projects.includes(name));
if (unknown.length > 0) {
  const known = `The steps are ${Object.keys(steps).join()}; the projects are ${projects.join()}.`;
  console.log(`No such step: ${unknown.join(", ")}. ${known}`);
  process.exit(2);
}
const named = projects.filter((name) => positionals.includes(name));
const chosenProjects = named.length > 0 ? named : projects;
const isChosen = (name) =>
  positionals.length === 0 || positionals.includes(name) || (name === "vitest" && named.length > 0);
const names = Object.keys(steps).filter(isChosen);

endWithThis();
process.on("exit", useTemporaryFolder());
const start = performance.now();
const isOwn = options.root === root;
const needsSystem =
  isOwn && ((names.includes("vitest") && named.join() !== "unit") || names.includes("runtimes"));
const state = isOwn
  ? await setup({ runtimes: needsSystem, system: needsSystem })
  : { ok: true, missing: [] };
const total = results();
let isBuilt = true;

function hindrance(name) {
  if (endedBy()) return `the run was ended by ${endedBy()}`;
  if (!state.ok) return "node_modules is missing";
  return !isBuilt && needsBuild.has(name) ? "the build failed" : undefined;
}

/** Runs a step, and shows what it printed when it has ended. */
async function shownAtEnd(name) {
  const folder = mkdtempSync(join(tmpdir(), "anykv-step-"));
  const file = join(folder, "output");
  const output = openSync(file, "w");
  try {
    return await steps[name](output);
  } finally {
    closeSync(output);
    console.log(`\n▸ ${name}\n${readFileSync(file, "utf8").trimEnd()}`);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a step. What it prints is shown at once, or when it has ended. */
async function step(name, isShown) {
  const reason = hindrance(name);
  if (reason !== undefined) {
    total.notRun.push(`${name}: ${reason}`);
    return;
  }
  const begin = performance.now();
  if (isShown) console.log(`\n▸ ${name}`);
  const found = isShown ? await steps[name]("inherit") : await shownAtEnd(name);
  if (name === "build") isBuilt = found.failed === 0;
  const outcome =
    found.failed > 0 ? "failed" : found.notRun.length > 0 ? "did not run to its end" : "ok";
  console.log(`  ${name} ${outcome} (${seconds(begin)})`);
  add(total, found);
}

/** Runs steps, two at a time. */
async function stepsOf(waiting) {
  const lanes = Math.min(2, waiting.length);
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      await step(name, lanes === 1);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

// The tests come last and alone: those of timeouts and outages need a machine that answers. The
// unit tests do not.
const checks = ["runtimes", "types", "lint", "sizes", "package"];
const groups =
  named.join() === "unit" ? [["build"], ["vitest", ...checks]] : [["build"], checks, ["vitest"]];
for (const group of groups) await stepsOf(group.filter((name) => names.includes(name)));

console.log(`\nAll of it took ${seconds(start)}.\n`);
console.log(summary(total));
process.exitCode ??= total.failed > 0 || total.notRun.length > 0 ? 1 : 0;
