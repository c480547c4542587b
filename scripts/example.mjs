// npm run example -- express: starts an app of examples/with, which prints its address.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../examples/with", import.meta.url));
const names = readdirSync(folder)
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => name !== "store");

/** Runs a command in the folder of the app. @throws when it fails. */
function must(cwd, command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw error ?? new Error(`${command} ${args.join(" ")} failed`);
}

/** Next.js is large. It is installed by the first start of its example. */
async function startNext(dir) {
  process.env.NEXT_TELEMETRY_DISABLED = "1";
  const packages = join(dir, "node_modules");
  if (!existsSync(join(packages, "next")))
    must(dir, "npm", "ci", "--omit=optional", "--ignore-scripts");
  if (!existsSync(join(packages, "anykv"))) symlinkSync("../../../..", join(packages, "anykv"));
  must(dir, process.execPath, "node_modules/next/dist/bin/next", "build");
  process.env.NODE_ENV = "production";
  const app = createRequire(join(dir, "package.json"))("next")({ dev: false, dir });
  await app.prepare();
  const server = createServer(app.getRequestHandler());
  server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () =>
    console.log(`http://127.0.0.1:${server.address().port}`),
  );
}

const [name] = process.argv.slice(2);
if (name === undefined || !names.includes(name)) {
  console.log(`${name === undefined ? "" : `There is no example ${name}. `}The examples are:`);
  for (const known of names) console.log(`  npm run example -- ${known}`);
  process.exitCode = name === undefined ? 0 : 1;
} else if (name === "next") await startNext(join(folder, name));
else await import(new URL(`../examples/with/${name}.ts`, import.meta.url).href);
