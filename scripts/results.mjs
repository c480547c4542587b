// What a run of tests came to: counts, failures and what did not run.
// Only built-in modules, and nothing newer than Node 20.
import { existsSync, readFileSync } from "node:fs";

/**
 * The results of one step, or of all of them.
 * `failures` and `notRun` are lists for people; the exit code and the counts follow `failed`.
 */
export const results = (some = {}) => ({
  passed: 0,
  failed: 0,
  skipped: 0,
  failures: [],
  notRun: [],
  ...some,
});

/** A step that failed as a whole. */
export const failure = (file, error, repeat, title = "") =>
  results({ failed: 1, failures: [{ file, title, error, repeat }] });

/** Adds results to others. */
export function add(total, { passed, failed, skipped, failures, notRun }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  total.failures.push(...failures);
  total.notRun.push(...notRun);
}

/** The events of a file of results, without a last line that was cut off. */
function eventsOf(file) {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

const repeatOf = (project, file) =>
  project === "runtimes"
    ? `node scripts/runtimes.mjs '${file}'`
    : `npm run test:${project} -- ${file}`;

/**
 * The results that scripts/reporter.ts wrote to a file.
 * `stall` is given when the run was ended because no test file finished for that time: then the
 * files that were running have failed. Files that did not end for another reason did not run.
 */
export function readResults(path, stall) {
  const total = results();
  const open = new Map();
  for (const { event, project, file, files, ...more } of eventsOf(path)) {
    const name = `${project} ${file}`;
    if (event === "planned")
      for (const file of files) open.set(`${project} ${file}`, { project, file, began: false });
    if (event === "began") open.set(name, { project, file, began: true });
    if (event === "error")
      add(total, failure("(outside of a test file)", more.error, "node scripts/test.mjs vitest"));
    if (event !== "ended") continue;
    open.delete(name);
    add(
      total,
      results({
        ...more,
        failures: more.failures.map((failure) => ({ file, ...failure })),
        notRun: [],
      }),
    );
    if (more.unfinished > 0) total.notRun.push(`${name}: ${more.unfinished} tests`);
  }
  for (const [name, { project, file, began }] of open) {
    if (began && stall !== undefined)
      add(
        total,
        failure(
          file,
          `it was running when no test file had finished for ${stall}`,
          repeatOf(project, file),
        ),
      );
    else total.notRun.push(`${name}${began ? ": it was running when the run ended" : ""}`);
  }
  return total;
}

/** The end of a run as text. Its last line is the counts alone. */
export function summary({ passed, failed, skipped, failures, notRun }) {
  const lines = [];
  if (failures.length > 0) lines.push(`${failures.length} failed:`);
  for (const { file, title, error, repeat } of failures) {
    lines.push(
      "",
      `  ${file}${title && ` › ${title}`}`,
      `    ${error || "no message"}`,
      `    ${repeat}`,
    );
  }
  if (notRun.length > 0)
    lines.push("", `${notRun.length} not run:`, "", ...notRun.map((text) => `  ${text}`));
  lines.push("", `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return lines.join("\n");
}
