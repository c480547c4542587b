import { execFileSync } from "node:child_process";
import { afterAll } from "vitest";
import { place } from "./disk.ts";

const mounted: string[] = [];

const run = (command: string, ...args: string[]): void => {
  execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
};

/** Mounts an empty file system of this size in memory. The test file unmounts it at its end. */
export function mount(size: string): string {
  const path = place();
  run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
  mounted.push(path);
  return path;
}

/** Makes a file system that `mount()` made read-only. */
export function makeReadOnly(path: string): void {
  run("mount", "-o", "remount,ro", path);
}

/** Whether this machine lets the tests mount a file system. Prints one line when it does not. */
export const canMount: boolean = ((): boolean => {
  try {
    mount("64k");
    return true;
  } catch {
    console.log("skipped: tests on a mounted file system, which need root on Linux");
    return false;
  }
})();

afterAll(() => {
  for (const path of mounted) run("umount", "--lazy", path);
});
