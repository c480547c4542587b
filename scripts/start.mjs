// npm start: one data set through every client that this machine has.
//   npm start             installs the npm packages where they are missing, and nothing else
//   npm start -- --all    also installs Chromium and the servers, and shows the other APIs
// Only built-in modules, and nothing newer than Node 20: it starts before anything is installed.
import process from "node:process";
import { endedBy, endWithThis, run } from "./process-group.mjs";
import { env, node, root, setup } from "./setup.mjs";

const example = [
  "--disable-warning=ExperimentalWarning",
  "--experimental-webstorage",
  "--localstorage-file=localstorage.db",
  "examples/packages.ts",
];

endWithThis();
const flags = process.argv.slice(2);
const { ok } = await setup({ runtimes: false, system: flags.includes("--all") });
const commands = ok
  ? [
      ["scripts/build.mjs", "--js"],
      [...example, ...flags],
    ]
  : [];
process.exitCode ??= ok ? 0 : 1;
for (const args of commands) {
  if (process.exitCode !== 0 || endedBy()) break;
  const stall = 10 * 60_000;
  const { code } = await run(node, args, { cwd: root, env, stdio: "inherit", stall });
  process.exitCode ||= typeof code === "number" ? code : 1;
}
