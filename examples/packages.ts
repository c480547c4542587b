// Loads every package of this project's package-lock.json into each client and compares what comes back.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import kv, { type Client, type Json } from "anykv";
import { namespaces } from "./namespace.ts";
import { schema } from "./schema.ts";
import { servers } from "./servers.ts";
import { type Report, tour } from "./tour.ts";
import { versions } from "./versions.ts";

interface Row extends Report {
  name: string;
  bytes: number | null;
}

const root = path.join(import.meta.dirname, "..");
const lock = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")) as { packages: Record<string, Json> };
const packages = Object.entries(lock.packages)
  .filter(([where]) => where !== "")
  .map(([where, metadata]) => [where.replace("node_modules/", ""), metadata] as const);

const folder = mkdtempSync(path.join(tmpdir(), "anykv-start-"));
const at = (name: string): string => path.join(folder, name);

function bytesUnder(place: string): number {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  return found.isDirectory() ? readdirSync(place).reduce((sum, name) => sum + bytesUnder(path.join(place, name)), 0) : found.size;
}

/** In Node: how to open each client, and where its data is. */
const clients: Record<string, { open(): unknown; place?: string }> = {
  "a Map": { open: () => new Map() },
  "a custom client": { open: customClient },
  "localStorage (Node)": { open: () => localStorage, place: "localstorage.db" },
  "a JSON file": { open: () => pathToFileURL(at("data.json")), place: "data.json" },
  "a folder": { open: () => pathToFileURL(at("data/")), place: "data" },
  Level: { open: async () => new (await import("level")).Level(at("level")), place: "level" },
  "node:sqlite": { open: () => new DatabaseSync(at("node.db")), place: "node.db" },
  "better-sqlite3": { open: async () => new (await import("better-sqlite3")).default(at("better.db")), place: "better.db" },
  PGlite: { open: async () => (await import("@electric-sql/pglite")).PGlite.create(at("pglite")), place: "pglite" },
  "Deno KV": { open: async () => (await import("@deno/kv")).openKv(at("deno.db")), place: "deno.db" },
  "lru-cache": { open: async () => new (await import("lru-cache")).LRUCache({ max: 10_000 }) },
  "Keyv (a Map)": { open: async () => new (await import("keyv")).Keyv() },
  "unstorage (memory)": { open: async () => (await import("unstorage")).createStorage() },
};

function customClient(): object {
  const data = new Map<string, unknown>();
  return {
    get: (key: string) => data.get(key),
    set: (key: string, value: unknown) => void data.set(key, value),
    del: (key: string) => void data.delete(key),
    *iterate(prefix: string) {
      for (const [key, value] of data) if (key.startsWith(prefix)) yield [key, value];
    },
  };
}

const progress = (text: string): void => void (process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`));
const lacking: string[] = [];

async function inNode(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, { open, place }] of Object.entries(clients)) {
    progress(`${name}: writing and reading ${packages.length} packages …`);
    try {
      const store = kv((await open()) as Client);
      // The size on disk while the data is there: the tour tidies up behind itself.
      await store.setMany(packages);
      const bytes = place === undefined ? null : bytesUnder(at(place));
      const report = await tour(store, packages);
      if (place !== "localstorage.db") await store.close();
      rows.push({ ...report, name, bytes });
    } catch (error) {
      lacking.push(`${name}: ${(error as Error).message}`);
    }
  }
  return rows;
}

async function onServers(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, open] of Object.entries(servers)) {
    progress(`${name}: writing and reading ${packages.length} packages …`);
    try {
      const { client, end } = await open();
      // Under a prefix: a server that was given by its URL may hold what is somebody's.
      const store = kv(client as Client, { prefix: "anykv-tour:" });
      try {
        rows.push({ ...(await tour(store, packages)), name, bytes: null });
      } finally {
        await store.close();
        await end();
      }
    } catch (error) {
      lacking.push(`${name}: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  return rows;
}

async function inChromium(): Promise<Row[]> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [path.join(root, "examples/browser-page.ts")],
    alias: { anykv: path.join(root, "dist/index.js") },
    external: ["node:*"],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
  });
  const server = createServer((request, response) => {
    const script = request.url === "/page.js";
    response.setHeader("content-type", script ? "text/javascript" : "text/html");
    response.end(script ? outputFiles[0]!.text : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { chromium } = await import("playwright");
  const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: flags });
  try {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => "run" in globalThis);
    const names = await page.evaluate(() => (globalThis as unknown as { clients: string[] }).clients);
    const rows: Row[] = [];
    for (const name of names) {
      progress(`${name}: writing and reading ${packages.length} packages …`);
      const report = await page.evaluate(
        ([name, packages]) => (globalThis as unknown as { run(name: string, packages: unknown): Promise<Report> }).run(name!, JSON.parse(packages!)),
        [name, JSON.stringify(packages)],
      );
      rows.push({ ...report, name, bytes: null });
    }
    return rows;
  } finally {
    await browser.close();
    server.close();
  }
}

const number = (value: number | null): string => (value === null ? "–" : value.toLocaleString("en"));

function table(rows: readonly Row[]): string {
  const head = ["client", "type", "entries", "writes/s", "reads/s", '"@…"', "expiry (reads)", "bytes on disk", "digest"];
  const lines = rows.map((row) => [row.name, row.type, number(row.entries), number(row.writes), number(row.reads), number(row.scoped), `${row.off > 0 ? `OFF by ${row.off} ms` : "exact"} (${number(row.watched)})`, number(row.bytes), row.full ?? row.digest]);
  const widths = head.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i]!.length)));
  const format = (line: readonly string[]): string => line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return [format(head), widths.map((width) => "─".repeat(width)).join("  "), ...lines.map(format)].join("\n");
}

console.log(`${packages.length} packages of package-lock.json, through one function, into every client:\n`);
process.chdir(folder);
const rows = [...(await inNode()), ...(await onServers())];
try {
  rows.push(...(await inChromium()));
} catch (error) {
  lacking.push(`localStorage, cookies, localForage and IndexedDB need Chromium: ${(error as Error).message.split("\n")[0]}`);
}
progress("");
console.log(table(rows));
for (const line of lacking) console.log(`\nnot shown  ${line}`);
for (const { name, entries, full } of rows.filter((row) => row.full !== null)) {
  console.log(`\n${name}: full after ${entries} of ${packages.length} packages, and said so (${full}); what it took it still has.`);
}
const digests = new Set(rows.filter((row) => row.full === null).map((row) => row.digest));
const agree = digests.size === 1 && rows.every((row) => row.off === 0);
console.log(`\n${agree ? `All ${rows.filter((row) => row.full === null).length} clients that hold all of it returned the same data (${[...digests][0]}).` : "The clients DISAGREE, or one of them is off."}`);
console.log('"@…" are the keys under that prefix; "expiry" is exact when every read before the deadline found the value and none after it did.');
console.log("All writes are called at once and awaited together: a JSON file then shares one replacement, where SQLite syncs each write.");
await versions();
await namespaces();
await schema();
rmSync(folder, { recursive: true, force: true });
process.exitCode = agree ? 0 : 1;
