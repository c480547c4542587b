import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** How many tests of one vitest project ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Writes `{ [project]: Counts }` as JSON to the file named by `ANYKV_COUNTS`; does nothing without it. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const file = process.env.ANYKV_COUNTS;
    if (!file) return;
    const projects: Record<string, Counts> = {};
    const countsOf = (project: string): Counts => (projects[project] ??= { passed: 0, failed: 0, skipped: 0 });
    for (const module of modules) {
      // In browser mode a project is named after its instance: "browser (chromium)".
      const counts = countsOf(module.project.name.replace(/ \(.*\)$/, ""));
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        // A test that never ended is not one that passed.
        counts[state === "pending" ? "failed" : state] += 1;
      }
      // A file that cannot be loaded, or a hook outside of any test.
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    }
    if (unhandledErrors.length > 0) countsOf("unhandled errors").failed += unhandledErrors.length;
    writeFileSync(file, JSON.stringify(projects));
  }
}
