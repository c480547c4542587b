import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { agrees, complete, type Example, expectations, ofMarkdown, ofSource } from "../helpers/examples.ts";

const root = path.join(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const list = (folder: string, ending: string): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => path.join(folder, file));

const examples: Example[] = [
  ...["README.md", "CONTRIBUTING.md", ...list("docs", ".md")].flatMap((file) => ofMarkdown(read(file), file)),
  ...list("src", ".ts").flatMap((file) => ofSource(read(file), file)),
];

// An empty project that has the built package and, as a user would, the client libraries installed.
const project = mkdtempSync(path.join(tmpdir(), "anykv-docs-"));
mkdirSync(path.join(project, "node_modules"));
symlinkSync(root, path.join(project, "node_modules/anykv"), "dir");
for (const name of ["level", "memory-level", "better-sqlite3", "fast-check", "nanoid"]) {
  symlinkSync(path.join(root, "node_modules", name), path.join(project, "node_modules", name), "dir");
}
// Reports each console.log with the line that it stands on.
writeFileSync(
  path.join(project, "record.mjs"),
  `console.log = (...args) => {
    const line = Number(/example\\.mjs:(\\d+)/.exec(new Error().stack)?.[1]);
    process.stdout.write(JSON.stringify({ line, args: args.map((arg) => arg === undefined ? null : arg) }, (_, value) => typeof value === "bigint" ? value + "n" : value) + "\\n");
  };`,
);
afterAll(() => rmSync(project, { recursive: true, force: true }));

let count = 0;

async function run(code: string, flags: string[]): Promise<{ status: number | null; out: string; errors: string }> {
  const folder = path.join(project, `run${++count}`);
  mkdirSync(folder);
  writeFileSync(path.join(folder, "example.mjs"), code);
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...flags, "example.mjs"], { cwd: folder });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { status, out, errors };
}

describe.concurrent("examples", () => {
  for (const { where, kind, code } of examples.filter((example) => example.kind === "")) {
    it(`${where} prints what it says`, async () => {
      const { status, out, errors } = await run(complete(code), ["--import", "../record.mjs"]);
      expect(errors).toBe("");
      expect(status).toBe(0);
      const printed = out.split("\n").filter(Boolean).map((line) => JSON.parse(line) as { line: number; args: unknown[] });
      const expected = expectations(complete(code));
      for (const [line, comment] of expected) {
        const calls = printed.filter((call) => call.line === line);
        expect(calls.length, `line ${line} of ${kind} was reached`).toBeGreaterThan(0);
        for (const { args } of calls) expect(agrees(args, comment), `${JSON.stringify(args)} is ${comment}`).toBe(true);
      }
    });
  }

  for (const { where, code } of examples.filter((example) => example.kind === "test")) {
    it(`${where} passes`, async () => {
      const { status, out } = await run(code, ["--test", "--test-reporter=tap"]);
      expect(Number(/^# pass (\d+)$/m.exec(out)?.[1])).toBeGreaterThan(40);
      expect(out).toMatch(/^# fail 0$/m);
      expect(status).toBe(0);
    });
  }
});

it("finds the examples, and every kind of them is run somewhere", () => {
  expect(examples.length).toBeGreaterThan(45);
  expect(examples.filter(({ kind }) => !["", "browser", "test"].includes(kind))).toEqual([]);
  const unchecked = examples.filter(({ code }) => /console\.log/.test(code) && expectations(code).size === 0).map(({ where }) => where);
  expect(unchecked).toEqual([]);
});
