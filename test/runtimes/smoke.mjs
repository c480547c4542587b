// What every runtime is asked to do. It runs in a project of its own that has the packed package
// installed, also inside a page and a worker: no built-in module is named here, and the subjects
// are handed in.
import { conformance } from "anykv/conformance";
import kv from "anykv";
import { entries } from "./entries.mjs";
import { apis } from "./apis.mjs";

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
  return {
    what: "import every entry",
    passed: Object.keys(entries).length - failures.length,
    failures,
  };
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

/** Runs some programs, each of which throws when it fails. */
async function runEach(what, programs) {
  const failures = [];
  for (const [name, run] of Object.entries(programs)) {
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${error?.message ?? error}`);
    }
  }
  return { what, passed: Object.keys(programs).length - failures.length, failures };
}

/**
 * Resolves to a row for each thing that was tried. `subjects` are those of the conformance suite,
 * by what they are called in the table; `storage` is where namespaces are kept here, `more` what
 * only some runtimes have.
 */
export async function smoke(subjects, { storage = "MEMORY", more = {} } = {}) {
  const rows = [
    await importAll(),
    await runEach("every API", { ...apis({ storage }), ...more }),
    await certify("memory", { open: () => kv(new Map()) }),
  ];
  for (const [what, subject] of Object.entries(subjects)) rows.push(await certify(what, subject));
  return rows;
}
