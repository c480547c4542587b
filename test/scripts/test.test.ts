import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { until } from "../support/daemon.ts";
import { temporaryFolder } from "../support/folders.ts";

const root = join(import.meta.dirname, "../..");
const folder = temporaryFolder();
afterAll(() => folder.remove());

interface Run {
  child: ChildProcess;
  /** The processes that the hanging test has started, once it has. */
  pids(): number[];
  ended: Promise<{ code: number | null; lines: string[] }>;
}

// The variables of the vitest that runs this test are not for the vitest that it starts.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST|NODE_ENV)/.test(name)),
);

let count = 0;

/** Starts scripts/test.mjs on one of the folders of runs. */
function start(name: string, ...args: string[]): Run {
  const pids = join(folder.path, `pids${count++}.json`);
  const flags = [
    "scripts/test.mjs",
    "vitest",
    `--root=${join(import.meta.dirname, "runs", name)}`,
    ...args,
  ];
  const child = spawn(process.execPath, flags, {
    cwd: root,
    env: { ...env, ANYKV_PIDS: pids, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = new Promise<{ code: number | null; lines: string[] }>((resolve) => {
    child.on("close", (code) => resolve({ code, lines: output.trimEnd().split("\n") }));
  });
  return {
    child,
    ended,
    pids: () => (existsSync(pids) ? (JSON.parse(readFileSync(pids, "utf8")) as number[]) : []),
  };
}

/** A killed process is not running, even if its parent has not asked for its exit code yet. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
  } catch {
    return false;
  }
}

describe.concurrent("npm test", () => {
  it("prints a line for each project, and each failure with its error and command", async () => {
    const { code, lines } = await start("ends").ended;
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe("3 passed, 3 failed, 1 skipped");
    expect(
      lines
        .filter((line) => line.startsWith("■"))
        .map((line) => line.replace(/\(.*/, ""))
        .sort(),
    ).toEqual(["■ bad: 1 passed, 3 failed, 0 skipped ", "■ good: 2 passed, 0 failed, 1 skipped "]);
    const failures = lines.slice(lines.indexOf("3 failed:") + 1, -2).join("\n");
    expect(
      failures
        .split("\n\n")
        .map((text) => text.trim())
        .sort(),
    ).toEqual([
      [
        "bad-file.case.ts › the file itself",
        "    this file cannot be loaded",
        "    npm run test:bad -- bad-file.case.ts",
      ].join("\n"),
      [
        "bad.case.ts › a suite (with 'odd' letters) > fails for one of many",
        "    Property failed after 1 tests",
        "    ANYKV_SEED=7 npm run test:bad -- bad.case.ts" +
          " -t '^a suite \\(with '\\''odd'\\'' letters\\) > fails for one of many$'",
      ].join("\n"),
      [
        "bad.case.ts › a suite (with 'odd' letters) > fails: 1 + 1 = 3?",
        "    the first line",
        "    npm run test:bad -- bad.case.ts" +
          " -t '^a suite \\(with '\\''odd'\\'' letters\\) > fails: 1 \\+ 1 = 3\\?$'",
      ].join("\n"),
    ]);
  });

  it("prints a command that repeats the failed test alone", async () => {
    const { lines } = await start("ends").ended;
    const filter = lines
      .find((line) => /test:bad .*= 3/.test(line))!
      .replace(/^.*test:bad -- /, "");
    const file = join(folder.path, "repeated.json");
    const flags = `--root=test/scripts/runs/ends --reporter=json --outputFile=${file}`;
    const command = `"${process.execPath}" node_modules/vitest/vitest.mjs run ${flags} ${filter}`;
    await new Promise((resolve) => execFile("sh", ["-c", command], { cwd: root, env }, resolve));
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
      numPassedTests: 0,
      numFailedTests: 1,
    });
  });

  it("ends a run in which no file finishes, with its processes, and keeps its counts", async () => {
    const run = start("hangs", "--stall=20");
    const { code, lines } = await run.ended;
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe("1 passed, 1 failed");
    const text = lines.join("\n");
    expect(text).toContain(
      [
        "second.case.ts",
        "    it was running when no test file had finished for 20 s",
        "    npm run test:second -- second.case.ts",
      ].join("\n"),
    );
    expect(text).toContain("1 not run:\n\n  third third.case.ts\n");
    expect(run.pids()).toHaveLength(3);
    expect(run.pids().filter(isRunning)).toEqual([]);
  });

  for (const [signal, expected] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    it(`ends all of its processes by ${signal}, and keeps its counts`, async () => {
      const run = start("hangs");
      await until("the test hangs", () => run.pids().length > 0);
      run.child.kill(signal);
      const { code, lines } = await run.ended;
      expect([code, lines.at(-1)]).toEqual([expected, "1 passed, 0 failed"]);
      expect(lines.join("\n")).toContain(
        [
          "2 not run:",
          "",
          "  second second.case.ts: it was running when the run ended",
          "  third third.case.ts",
          "",
        ].join("\n"),
      );
      expect(run.pids().filter(isRunning)).toEqual([]);
    });
  }
});
