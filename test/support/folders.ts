import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A new empty folder; `remove` deletes it with everything in it. */
export function temporaryFolder(): { path: string; url: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-test-"));
  return {
    path: folder,
    url: `file://${folder}/`,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
