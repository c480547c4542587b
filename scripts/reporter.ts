import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import type {
  Reporter,
  TestCase,
  TestModule,
  TestSpecification,
  TestSuite,
  Vitest,
} from "vitest/node";

/** A test that failed, and how to repeat it alone. */
export interface Failure {
  title: string;
  /** The first line of the error. */
  error: string;
  repeat: string;
}

/** What is appended to the file of results, one JSON line each. */
export type Event =
  | { event: "planned"; project: string; files: string[] }
  | { event: "began"; project: string; file: string }
  | {
      event: "ended";
      project: string;
      file: string;
      passed: number;
      failed: number;
      skipped: number;
      unfinished: number;
      failures: Failure[];
    }
  | { event: "error"; error: string };

// oxlint-disable-next-line eslint/no-control-regex -- codes of colours begin with one
const COLOUR = /\u001b\[[0-9;]*m/g;

const firstLine = (error: { message?: string } | undefined): string =>
  (error?.message ?? "").replace(COLOUR, "").split("\n")[0]!.slice(0, 200);

/** The variable that repeats the random values of a test, if it had some. */
function seedOf(error: { message?: string } | undefined): string {
  const seed = /\{ seed: (-?\d+), path: /.exec(error?.message ?? "")?.[1];
  return seed === undefined ? "" : `ANYKV_SEED=${seed} `;
}

const shellQuoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** `-t` takes a pattern that is matched against the full name. */
const pattern = (test: TestCase): string =>
  `^${test.fullName.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`;

// In browser mode a project is named after its instance: "browser (chromium)".
const projectOf = ({ project }: { project: { name: string } }): string =>
  project.name.replace(/ \(.*\)$/, "");

/**
 * Appends the result of each test file to the file that `ANYKV_RESULTS` names, as soon as the
 * test file ends. A run that is killed keeps its counts.
 * Prints one line for each project that ends.
 */
export default class ResultsReporter implements Reporter {
  readonly #file: string = process.env.ANYKV_RESULTS!;
  readonly #projects = new Map<
    string,
    { left: number; begin: number; passed: number; failed: number; skipped: number }
  >();
  #vitest!: Vitest;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const [project, of] of Map.groupBy(specifications, projectOf)) {
      this.#projects.set(project, {
        left: of.length,
        begin: performance.now(),
        passed: 0,
        failed: 0,
        skipped: 0,
      });
      this.#append({
        event: "planned",
        project,
        files: of.map(({ moduleId }) => this.#path(moduleId)),
      });
    }
  }

  onTestModuleQueued(module: TestModule): void {
    this.#append({ event: "began", project: projectOf(module), file: this.#path(module.moduleId) });
  }

  onTestModuleEnd(module: TestModule): void {
    const [project, file] = [projectOf(module), this.#path(module.moduleId)];
    const command = `npm run test:${project} -- ${file}`;
    const counts = { passed: 0, failed: 0, skipped: 0, unfinished: 0 };
    const failures: Failure[] = [];
    for (const test of module.children.allTests()) {
      const { state, errors } = test.result();
      counts[state === "pending" ? "unfinished" : state]++;
      if (state === "failed")
        failures.push({
          title: test.fullName,
          error: firstLine(errors[0]),
          repeat: `${seedOf(errors[0])}${command} -t ${shellQuoted(pattern(test))}`,
        });
    }
    // A file that cannot be loaded, or a hook outside of any test.
    for (const outer of [module, ...module.children.allSuites()] as (TestModule | TestSuite)[]) {
      for (const error of outer.errors()) {
        counts.failed++;
        failures.push({
          title: outer.type === "suite" ? outer.fullName : "the file itself",
          error: firstLine(error),
          repeat: command,
        });
      }
    }
    this.#append({ event: "ended", project, file, ...counts, failures });
    this.#count(project, counts);
  }

  onTestRunEnd(_modules: unknown, unhandledErrors: readonly { message?: string }[]): void {
    for (const error of unhandledErrors) this.#append({ event: "error", error: firstLine(error) });
  }

  #path(moduleId: string): string {
    return relative(this.#vitest.config.root, moduleId);
  }

  #append(event: Event): void {
    appendFileSync(this.#file, `${JSON.stringify(event)}\n`);
  }

  #count(name: string, counts: { passed: number; failed: number; skipped: number }): void {
    const project = this.#projects.get(name)!;
    for (const key of ["passed", "failed", "skipped"] as const) project[key] += counts[key];
    if (--project.left > 0) return;
    const { passed, failed, skipped, begin } = project;
    const time = ((performance.now() - begin) / 1000).toFixed(1);
    this.#vitest.logger.log(
      `\n■ ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped (${time} s)\n`,
    );
  }
}
