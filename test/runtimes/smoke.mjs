// What every runtime is asked to do. It runs in a project of its own that has the packed package installed, also inside a page and a worker:
// no built-in module is named here, and the subjects are handed in.
import { conformance } from "anykv/conformance";
import kv from "anykv";
import { entries } from "./entries.mjs";

/** Imports every entry of the package. */
async function importAll() {
  const failures = [];
  for (const [name, load] of Object.entries(entries)) {
    try {
      if (Object.keys(await load()).length === 0) failures.push(`${name} exports nothing`);
    } catch (error) {
      failures.push(`${name}: ${error}`);
    }
  }
  return { what: "import every entry", passed: Object.keys(entries).length - failures.length, failures };
}

/** Runs the conformance suite on one kind of client. */
async function certify(what, subject) {
  const failures = [];
  let passed = 0;
  for (const { name, run } of conformance({ runs: 5, ...subject })) {
    try {
      await run();
      passed++;
    } catch (error) {
      failures.push(`${name}: ${error?.message ?? error}`);
    }
  }
  return { what, passed, failures };
}

/** Resolves to a row for each thing that was tried. `subjects` are those of the conformance suite, by what they are called in the table. */
export async function smoke(subjects) {
  const rows = [await importAll(), await certify("memory", { open: () => kv(new Map()) })];
  for (const [what, subject] of Object.entries(subjects)) rows.push(await certify(what, subject));
  return rows;
}
