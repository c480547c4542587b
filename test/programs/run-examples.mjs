// Runs examples one after the other, each in a folder of its own: `…/run12/example.mjs`.
// Prints one JSON line for each console.log with its example and line, and one for each end.
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import process from "node:process";

const asJson = (_, value) => (typeof value === "bigint" ? `${value}n` : value);
const tell = (event) => process.stdout.write(`${JSON.stringify(event, asJson)}\n`);

// A listener of an example that is over may hear of later ones.
const over = new Set();

console.log = (...args) => {
  const [, run, line] = /\/(run\d+)\/example\.mjs:(\d+)/.exec(new Error().stack) ?? [];
  if (over.has(run)) return;
  const printed = args.map((arg) => (arg === undefined ? null : arg));
  tell({ run, line: Number(line), args: printed });
};

for (const folder of process.argv.slice(2)) {
  const run = basename(folder);
  process.chdir(folder);
  process.stderr.write(`\n${run}:\n`);
  try {
    await import(pathToFileURL(`${folder}/example.mjs`).href);
    tell({ run, end: "" });
  } catch (error) {
    tell({ run, end: `${error?.stack ?? error}` });
  }
  over.add(run);
}
