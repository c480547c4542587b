import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";

const root = path.join(import.meta.dirname, "../..");
const pages = readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".md"))
  .map((file) => path.join("docs", file));

/** The examples that are checked by the compiler: `ts` and `jsx` fences. */
const examples = ["README.md", ...pages].flatMap((page) => {
  const text = readFileSync(path.join(root, page), "utf8");
  return [...text.matchAll(/^```(ts|jsx)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language, 2: code }, i) => ({
      name: `${page.replace(/\W/g, "-")}-${i}.${language === "ts" ? "ts" : "tsx"}`,
      code: code!,
    }),
  );
});

const folder = mkdtempSync(path.join(tmpdir(), "anykv-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("compiles the examples in TypeScript and JSX", () => {
  expect(examples.length).toBeGreaterThanOrEqual(3);
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"), "dir");
  mkdirSync(path.join(folder, "examples"));
  for (const { name, code } of examples)
    writeFileSync(path.join(folder, "examples", name), `${code}\nexport {};\n`);
  writeFileSync(
    path.join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: path.join(root, "tsconfig.json"),
      compilerOptions: {
        // Examples export nothing that needs a type.
        isolatedDeclarations: false,
        noUnusedLocals: false,
        jsx: "react-jsx",
      },
      include: ["examples"],
    }),
  );
  const compiler = path.join(root, "node_modules/ts7/bin/tsc");
  let faults = "";
  try {
    execFileSync(process.execPath, [compiler, "-p", folder], { cwd: folder, encoding: "utf8" });
  } catch (error) {
    faults = (error as { stdout: string }).stdout;
  }
  expect(faults).toBe("");
});
