// npm start: sets the machine up, builds, and runs the example that loads one data set into every embedded client.
// Only built-in modules, and nothing newer than Node 20: it starts before anything is installed.
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { env, node, root, seconds, setup } from "./setup.mjs";

const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: "inherit", env }).status ?? 1;

const start = performance.now();
process.exitCode = setup().ok ? 0 : 1;
if (process.exitCode === 0) {
  process.exitCode = run(node, ["scripts/build.mjs", "--js"]);
  console.log(`build  ${process.exitCode === 0 ? "done" : "failed"} (${seconds(start)})`);
}
if (process.exitCode === 0) {
  const example = ["--disable-warning=ExperimentalWarning", "--experimental-webstorage", "--localstorage-file=localstorage.db", "examples/packages.ts"];
  process.exitCode = run(node, [...example, ...process.argv.slice(2)]);
}
console.log(`\nAll of it took ${seconds(start)}.`);
