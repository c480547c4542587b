import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

// Node opens its localStorage file, named by a relative path, on first access: here, once for each
// test file, in a folder of its own, so that test files running side by side do not share it.
const folder = mkdtempSync(join(tmpdir(), "anykv-web-storage-"));
const before = process.cwd();
process.chdir(folder);
void localStorage.length;
process.chdir(before);

afterAll(() => rmSync(folder, { recursive: true, force: true }));
