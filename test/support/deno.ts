import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundle } from "./workerd-bundle.ts";

const binary =
  process.env.DENO ??
  fileURLToPath(new URL("../runtimes/node_modules/@deno/linux-x64-glibc/deno", import.meta.url));

/** Writes the program for Deno into a folder, and tells its path. */
export async function writeDenoProgram(folder: string): Promise<string> {
  const file = `${folder}/program.mjs`;
  writeFileSync(file, await bundle("deno-program.ts", ["deno", "browser"]));
  return file;
}

/**
 * Runs a program in Deno to its end, and returns its output. Deno asks for all permissions where
 * files are below /dev, as those in memory are. @throws when it fails.
 */
export async function runDeno(folder: string, file: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    binary,
    ["run", "--unstable-kv", "--allow-all", "--no-remote", file, ...args],
    {
      env: { DENO_DIR: `${folder}/cache`, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return stdout;
}
