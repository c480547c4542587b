// Changes the source in one small way after the other, and runs the unit tests on each change. A
// change that no test notices is a survivor: something that no test checks.
//   node scripts/mutate.mjs                     all files below; survivors and the share killed
//   node scripts/mutate.mjs src/expires.ts      these files alone
// Works on a copy of the repository. Exit code 1 below 90 % or for a survivor without a reason.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import ts from "typescript";
import { createVitest } from "vitest/node";
import { root } from "./setup.mjs";

/** The files, with the tests that check each of them. */
const tests = {
  "src/expires.ts": ["expires", "platform/options", "store/arguments"],
  "src/prefix.ts": ["key", "prefix", "contract"],
  "src/record/freshness.ts": ["record/record", "contract", "faults"],
  "src/record/json.ts": ["record/json", "store/arguments"],
  "src/record/record.ts": ["record/record", "contract", "record/json"],
  "src/record/text-format.ts": ["record/text-format", "record/record"],
  "src/record/utf8.ts": ["record/utf8"],
  "src/record/version.ts": ["record/version", "record/record"],
  "src/store/lazy-calls.ts": ["store/quick", "kv", "concurrency/order", "store/arguments"],
  "src/store/quick.ts": ["store/quick", "kv"],
  "src/store/store.ts": ["store/quick", "store/store", "kv", "platform/options", "store/arguments"],
};
const GOAL = 0.9;

/** Survivors that change nothing that a test could see, with the reason. */
const { reasons } = JSON.parse(readFileSync(join(root, "scripts/survivors.json"), "utf8"));

const swaps = new Map([
  ["===", "!=="],
  ["!==", "==="],
  ["<", "<="],
  ["<=", "<"],
  [">", ">="],
  [">=", ">"],
  ["&&", "||"],
  ["||", "&&"],
  ["??", "&&"],
  ["+", "-"],
  ["-", "+"],
  ["*", "/"],
  ["/", "*"],
]);

const isText = (expression) =>
  ts.isStringLiteralLike(expression) ||
  ts.isTemplateExpression(expression) ||
  (ts.isBinaryExpression(expression) && (isText(expression.left) || isText(expression.right)));

/** The changes of one node: `[start, end, text]`. */
function* changesOf(part, file) {
  const range = [part.getStart(file), part.getEnd()];
  if (ts.isBinaryExpression(part)) {
    const operator = part.operatorToken.getText(file);
    const token = [part.operatorToken.getStart(file), part.operatorToken.getEnd()];
    const isConcatenation = operator === "+" && (isText(part.left) || isText(part.right));
    if (swaps.has(operator) && !isConcatenation) yield [...token, swaps.get(operator)];
  }
  if (part.kind === ts.SyntaxKind.TrueKeyword && ts.isExpression(part)) yield [...range, "false"];
  if (part.kind === ts.SyntaxKind.FalseKeyword && ts.isExpression(part)) yield [...range, "true"];
  if (ts.isNumericLiteral(part)) yield [...range, `(${part.getText(file)} + 1)`];
  if (ts.isIfStatement(part) || ts.isConditionalExpression(part)) {
    const condition = part.expression ?? part.condition;
    for (const value of ["true", "false"])
      yield [condition.getStart(file), condition.getEnd(), value];
  }
  const isBody = ts.isBlock(part) && ts.isFunctionLike(part.parent);
  if (isBody && part.statements.length > 0) yield [...range, "{}"];
  if (ts.isPrefixUnaryExpression(part) && part.operator === ts.SyntaxKind.ExclamationToken)
    yield [...range, part.operand.getText(file)];
}

function mutantsOf(path) {
  const text = readFileSync(join(root, path), "utf8");
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (part) => {
    if (ts.isTypeNode(part) || ts.isInterfaceDeclaration(part) || ts.isImportDeclaration(part))
      return;
    for (const [start, end, change] of changesOf(part, file)) {
      const line = file.getLineAndCharacterOfPosition(start).line + 1;
      const before = text.slice(start, end).replaceAll(/\s+/g, " ");
      const shown = before.length > 60 ? `${before.slice(0, 57)}...` : before;
      const source = text.split("\n")[line - 1].trim();
      found.push({
        id: `${path}: ${source}: ${shown} → ${change}`,
        line,
        text: text.slice(0, start) + change + text.slice(end),
      });
    }
    ts.forEachChild(part, visit);
  };
  visit(file);
  return found;
}

const copy = mkdtempSync(join(tmpdir(), "anykv-mutate-"));
for (const name of ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"])
  cpSync(join(root, name), join(copy, name), {
    recursive: true,
    filter: (path) => !path.includes("node_modules"),
  });
for (const name of ["node_modules", "dist"]) symlinkSync(join(root, name), join(copy, name));
process.on("exit", () => rmSync(copy, { recursive: true, force: true }));

/** How long the tests of one change may take, in milliseconds: some changes make endless loops. */
const LONGEST = 60_000;

/** One run of Vitest that stays: starting it for each change would take most of the time. */
let vitest;
const open = () =>
  createVitest(
    "test",
    { root: copy, project: ["unit"], watch: false, reporters: [{}], silent: true },
    { cacheDir: join(copy, ".cache") },
  );

/** Whether the tests of a file pass. A run that takes too long counts as failed. */
async function passesOne(name) {
  vitest ??= await open();
  const [specification] = await vitest.globTestSpecifications([`test/${name}.unit.test.ts`]);
  if (specification === undefined) throw new Error(`test/${name}.unit.test.ts does not exist`);
  const running = vitest.runTestSpecifications([specification]);
  const result = await Promise.race([running, sleep(LONGEST, undefined, { ref: false })]);
  if (result === undefined) {
    // Closing Vitest terminates the thread that is in an endless loop.
    running.catch(() => undefined);
    void vitest.close().catch(() => undefined);
    vitest = undefined;
    return false;
  }
  // Vitest still has the results of earlier runs of other files.
  const ran = result.testModules.find(({ moduleId }) => moduleId === specification.moduleId);
  return result.unhandledErrors.length === 0 && ran.ok();
}

/** Whether the tests pass with a file as it is now. The quick tests come first. */
async function passes(names, path) {
  vitest?.invalidateFile(join(copy, path));
  for (const name of names) if (!(await passesOne(name))) return false;
  return true;
}

// The end of a thread that was terminated comes as an error that nothing listens for.
process.on("uncaughtException", (error) => {
  if (!/Worker exited unexpectedly/.test(error.message)) throw error;
});

const asked = process.argv.slice(2);
const paths = asked.length > 0 ? asked : Object.keys(tests);
let killed = 0;
let all = 0;
const unexplained = [];
for (const path of paths) {
  if (!(await passes(tests[path], path))) throw new Error(`the tests of ${path} fail as it is`);
  for (const { id, line, text } of mutantsOf(path)) {
    writeFileSync(join(copy, path), text);
    const survived = await passes(tests[path], path);
    all++;
    if (!survived) killed++;
    else if (reasons[id] === undefined) unexplained.push(id);
    if (survived) console.log(`survived  ${path}:${line}  ${id.slice(path.length + 2)}`);
  }
  writeFileSync(join(copy, path), readFileSync(join(root, path)));
  vitest?.invalidateFile(join(copy, path));
  console.log(`${path}: ${killed} of ${all} killed so far`);
}
console.log(`${killed} of ${all} changes killed (${((100 * killed) / all).toFixed(1)} %)`);
for (const id of unexplained) console.log(`no reason in scripts/survivors.json: ${id}`);
await vitest?.close();
process.exit(killed / all < GOAL || unexplained.length > 0 ? 1 : 0);
