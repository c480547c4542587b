import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";

const root = path.join(import.meta.dirname, "../..");
const guide = readFileSync(path.join(root, "CONTRIBUTING.md"), "utf8");
const section = /^## A new client$([\s\S]*?)^## /m.exec(guide)![1]!;
const [client, manifest, detected] = [...section.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
  ([, code]) => code!,
);

// The library of the imaginary client, and the conformance suite on it.
const PROGRAM = `
import kv from "./src/index.ts";
import { conformance } from "./src/conformance/index.ts";

const open = () => {
  const data = new Map();
  return kv({
    fetchItem: async (key) => data.get(key),
    storeItem: async (key, text) => void data.set(key, text),
    dropItem: async (key) => void data.delete(key),
    allKeys: async () => [...data.keys()],
  });
};
let count = 0;
for (const { run } of conformance({ open, runs: 3 })) {
  await run();
  count++;
}
console.log(open().type, count > 40);
`;

const folder = mkdtempSync(path.join(tmpdir(), "anykv-guide-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Adds a line to a source in front of another one. */
function insert(file: string, before: string, line: string): void {
  const source = path.join(folder, "src/clients", file);
  const text = readFileSync(source, "utf8");
  expect(text).toContain(before);
  writeFileSync(source, text.replace(before, line + before));
}

it("CONTRIBUTING.md shows a client in one folder and two lines that conforms", async () => {
  cpSync(path.join(root, "src"), path.join(folder, "src"), { recursive: true });
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"), "dir");
  writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
  mkdirSync(path.join(folder, "src/clients/toy"));
  writeFileSync(path.join(folder, "src/clients/toy/index.ts"), client!);
  insert("manifests.ts", "export const UNSTORAGE", manifest!);
  insert("detect.ts", "  [kinds.CUSTOM,", detected!);
  writeFileSync(path.join(folder, "program.ts"), PROGRAM);

  const { stdout } = await promisify(execFile)(process.execPath, ["program.ts"], { cwd: folder });
  expect(stdout).toBe("TOY true\n");
});
