// npm start: loads every package of package-lock.json into each client, and compares the results.
//   npm start -- redis map    only the clients with such names
import { readFileSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { MissingProgramError } from "../test/support/daemon.ts";
import { chromium, closePage } from "./chromium.ts";
import { embedded } from "./embedded.ts";
import { namespaces } from "./namespace.ts";
import { schema } from "./schema.ts";
import { servers } from "./servers.ts";
import type { Client, Packages, Report } from "./tour.ts";
import { versions } from "./versions.ts";

const begin = performance.now();
const lockfile = path.join(import.meta.dirname, "../package-lock.json");
const lock = JSON.parse(readFileSync(lockfile, "utf8")) as {
  packages: Record<string, Packages[0][1]>;
};
const packages: Packages = Object.entries(lock.packages)
  .filter(([where]) => where !== "")
  .map(([where, metadata]) => [where.replace("node_modules/", ""), metadata]);

const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const isWanted = ({ name }: Client): boolean =>
  wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part.toLowerCase()));
const clients = [...embedded, ...servers, ...chromium].filter(isWanted);
const width = Math.max(...clients.map(({ name }) => name.length)) + 2;
const missing: string[] = [];
/** The digest of the data, as the first client returned it. */
let expected: string | undefined;
let [same, wrong] = [0, 0];

function outcome({ entries, full, digest, off, ms }: Report): string {
  if (full !== null) return `${entries} of ${packages.length}: full, and said so (${full})`;
  const isFirst = expected === undefined;
  expected ??= digest;
  const [isSame, isExact] = [digest === expected, off === 0];
  if (isSame && isExact) same++;
  else wrong++;
  const data = isSame ? `✓${isFirst ? " same data" : ""}` : "✗ OTHER DATA";
  const expiry = isExact ? `✓${isFirst ? " expiry exact" : ""}` : `✗ EXPIRY OFF BY ${off} ms`;
  const time = `${Math.round(ms).toLocaleString("en")} ms`;
  return `${data.padEnd(14)}${expiry.padEnd(17)}${time.padStart(8)}`;
}

async function show({ name, tour }: Client): Promise<void> {
  try {
    console.log(`  ${name.padEnd(width)}${outcome(await tour(packages))}`);
  } catch (error) {
    if (error instanceof MissingProgramError) return void missing.push(name);
    wrong++;
    console.log(`  ${name.padEnd(width)}✗ ${(error as Error).message.split("\n")[0]}`);
  }
}

const isAll = process.argv.includes("--all");
console.log(`anykv: one program, ${clients.length} clients. ${packages.length} packages are written,
listed, read back and expired on each. The time is that of writing and reading all of them.
`);
for (const client of clients) await show(client);
await closePage();
if (missing.length > 0) console.log(`  not here: ${missing.join(", ")}`);

const seconds = Math.round((performance.now() - begin) / 1000);
if (wrong === 0) console.log(`\n✓ ${same} clients, the same data. (${seconds} s)`);
else console.log(`\n✗ ${wrong} of the clients are wrong. (${seconds} s)`);
if (isAll) {
  await versions();
  await namespaces();
  await schema();
}
console.log(`
Try it:   node -i -e 'const kv = require("anykv"); const store = kv(new Map())'
Read:     examples/tour.ts`);
if (!isAll)
  console.log("See more: npm start -- --all   (installs what is not here; shows the other APIs)");
process.exitCode = wrong === 0 ? 0 : 1;
