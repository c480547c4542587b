import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * A file of test/programs with everything that it imports, as one module for a runtime
 * without Node's.
 */
export async function bundle(file: string, conditions: readonly string[]): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../programs/${file}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: [...conditions],
    target: "es2022",
    external: ["node:*"],
    logLevel: "error",
  });
  return outputFiles[0]!.text;
}
