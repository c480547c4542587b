// npm test: sets the machine up, runs every check, and ends with one line that counts them.
//   node scripts/test.mjs               everything
//   node scripts/test.mjs types lint    these steps only
// Only built-in modules, and nothing newer than Node 20: it starts before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { env, node, root, seconds, setup } from "./setup.mjs";

const stepTimeout = 8 * 60_000;
const projects = ["unit", "node", "servers", "docs", "browser"];

function run(command, args, extra = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...env, ...extra },
    timeout: stepTimeout,
  });
  if (error) console.log(error.message);
  return status === 0;
}

const one = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });

const readJson = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});

/** Runs a command that writes its counts by name into the file that ANYKV_COUNTS names. What it does not count did not run: one failure. */
function counted(command, args, names) {
  const folder = mkdtempSync(join(tmpdir(), "anykv-counts-"));
  const file = join(folder, "counts.json");
  const ok = run(command, args, { ANYKV_COUNTS: file });
  const counts = readJson(file);
  rmSync(folder, { recursive: true, force: true });

  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    const { passed, failed, skipped } = counts[name] ?? { passed: 0, failed: 1, skipped: 0 };
    console.log(`       ${name.padEnd(8)}  ${counts[name] ? `${passed} passed, ${failed} failed, ${skipped} skipped` : "did not run: counts as one failure"}`);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  // A command can fail for reasons that are nobody's test, such as a worker that died.
  if (!ok && total.failed === 0) total.failed = 1;
  return total;
}

function vitest({ missing }) {
  // Without Chromium the other projects still run; the browser project then counts as one failure.
  const able = projects.filter((name) => name !== "browser" || !missing.includes("chromium"));
  // What an installation has just written goes to the disk now, and not while the tests wait for the disk. Where there is no such program, it goes when it goes.
  spawnSync("sync");
  const reporters = ["--reporter=default", "--reporter=./scripts/counts.ts"];
  return counted(node, ["node_modules/vitest/vitest.mjs", "run", ...able.map((name) => `--project=${name}`), ...reporters], projects);
}

const steps = {
  types: () => one(run(node, ["node_modules/ts7/bin/tsc", "--noEmit"])),
  lint: () => one(run("oxlint", ["--deny-warnings"])),
  build: () => one(run(node, ["scripts/build.mjs"])),
  vitest,
  package: () => one(run(node, ["scripts/check-package.mjs"])),
  sizes: () => one(run(node, ["scripts/sizes.mjs"])),
  runtimes: () => counted(node, ["scripts/runtimes.mjs"], ["runtimes"]),
};
const needsBuild = new Set(["package", "sizes", "runtimes"]);

const start = performance.now();
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.log(`No such step: ${unknown.join(", ")}. The steps are ${Object.keys(steps).join(", ")}.`);
  process.exit(2);
}

const names = Object.keys(steps).filter((name) => chosen.length === 0 || chosen.includes(name));
const state = setup({ system: names.includes("vitest") || names.includes("runtimes") });
const total = { passed: 0, failed: 0, skipped: 0 };
let isBuilt = true;
for (const name of names) {
  const begin = performance.now();
  console.log(`\n▸ ${name}`);
  const runs = state.ok && (isBuilt || !needsBuild.has(name));
  const counts = runs ? steps[name](state) : one(false);
  if (name === "build") isBuilt = counts.failed === 0;
  const why = runs ? "" : `: it needs ${state.ok ? "the build" : "node_modules"}`;
  const outcome = counts.failed > 0 ? `failed${why}` : "ok";
  console.log(`  ${name} ${outcome} (${seconds(begin)})`);
  for (const key of Object.keys(total)) total[key] += counts[key];
}

console.log(`\nAll of it took ${seconds(start)}.\n`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exitCode = total.failed > 0 ? 1 : 0;
