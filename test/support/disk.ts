import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const places: string[] = [];

afterAll(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

/**
 * A new empty folder, removed when the test file is done. The folders of tests are in memory where
 * that is possible; `onDisk` is for tests of what survives a crash.
 */
export function place({ onDisk = false }: { onDisk?: boolean } = {}): string {
  const path = mkdtempSync(join((onDisk && process.env.ANYKV_DISK) || tmpdir(), "anykv-test-"));
  places.push(path);
  return path;
}

export const textOf = (path: string): string => readFileSync(path, "utf8");

/** Every path below a folder, in order. */
export const tree = (path: string): string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
