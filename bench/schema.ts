import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { Level } from "level";
import { createClient } from "redis";
import kv, { type Store } from "anykv";
import { DynamicStore } from "anykv/schema";
import { redisServer } from "../test/support/redis-server.ts";
import { line } from "./race.ts";

const root = path.join(import.meta.dirname, "..");
const FIELDS = 30;
const DEPTH = 5;

/**
 * A program with a schema of 30 fields, one of them another such schema, and so on; each field of
 * each is used.
 */
function program(): string {
  const types = [
    '"string"',
    '"number"',
    '"set"',
    "bitset(8)",
    "z.object({ name: z.string(), tags: z.array(z.string()) })",
    '"sorted"',
  ];
  const name = (depth: number, field: number): string => `f${depth}_${field}`;
  const fields = (depth: number): string[] =>
    Array.from({ length: FIELDS - 1 }, (_, i) => `${name(depth, i)}: ${types[i % types.length]}`);
  const schema = (depth: number): string =>
    `StaticStore("s${depth}", { ${fields(depth).join(", ")}, deeper: ` +
    `${depth === DEPTH ? '"list"' : schema(depth + 1)} })`;
  const uses = Array.from({ length: DEPTH }, (_, depth) => {
    const at = `store${'.take("deeper")'.repeat(depth)}`;
    return Array.from({ length: FIELDS - 1 }, (_, i) => {
      const use = [
        "read()",
        "increment()",
        'add("a")',
        "sum(0, 9)",
        'write({ name: "a", tags: [] })',
        "range()",
      ][i % types.length];
      return `await ${at}.take("${name(depth + 1, i)}").${use};`;
    }).join("\n");
  });
  return (
    `import { bitset, StaticStore } from "anykv/schema";\nimport { z } from "zod";\nconst ` +
    `store = ${schema(1)};\n${uses.join("\n")}\n`
  );
}

/**
 * How long a type-check of a program takes, in milliseconds: the fastest of some, since nothing
 * makes it faster than it is.
 */
function checked(folder: string, code: string, command: readonly string[]): number {
  writeFileSync(path.join(folder, "program.ts"), code);
  const config = {
    compilerOptions: {
      strict: true,
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable"],
      noEmit: true,
      skipLibCheck: true,
      types: [],
    },
    files: ["program.ts"],
  };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  const times = Array.from({ length: 3 }, () => {
    const start = performance.now();
    execFileSync(process.execPath, [...command, "-p", folder], { stdio: "inherit" });
    return performance.now() - start;
  });
  return Math.min(...times);
}

function types(): void {
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
  try {
    mkdirSync(path.join(folder, "node_modules"));
    symlinkSync(root, path.join(folder, "node_modules/anykv"), "dir");
    symlinkSync(path.join(root, "node_modules/zod"), path.join(folder, "node_modules/zod"), "dir");
    const compilers = {
      "TypeScript 7": [path.join(root, "node_modules/ts7/bin/tsc")],
      "TypeScript 6": [path.join(root, "node_modules/typescript/bin/tsc")],
    };
    const empty =
      'import { StaticStore } from "anykv/schema";\nimport { z } from "zod";\nvoid ' +
      "[StaticStore, z];\n";
    for (const [name, command] of Object.entries(compilers)) {
      const [none, all] = [checked(folder, empty, command), checked(folder, program(), command)];
      const took = (all - none) / 1000;
      line(
        `types: ${FIELDS} fields, ${DEPTH} deep, by ${name}`,
        all / none,
        "in under 2 s",
        took < 2,
        `${took.toFixed(2)} s, and ${(none / 1000).toFixed(2)} s for its imports`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How often each operation on a set is timed. */
const TIMES = 200;

/** Runs an operation many times; resolves to the milliseconds of one. */
async function took(work: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 20; i++) await work(-i - 1);
  const start = performance.now();
  for (let i = 0; i < TIMES; i++) await work(i);
  return (performance.now() - start) / TIMES;
}

/** What one member of a set costs, beside one `set` of the store. */
async function setOf(size: number, name: string, store: Store): Promise<void> {
  const set = DynamicStore("large", "set", { store }).take("a");
  await set.write(Array.from({ length: size }, (_, i) => `member:${i}`));
  const one = await took((i) => store.set(`other:${i}`, i));
  const costs = [
    ["add", await took((i) => set.add(`new:${i}`))],
    ["has", await took((i) => set.has(`member:${i}`))],
    ["remove", await took((i) => set.remove(`new:${i}`))],
    ["size", await took(() => set.size())],
  ] as const;
  const texts = costs.map(
    ([what, ms]) => `${what} ${ms.toFixed(3)} ms (${(ms / one).toFixed(1)} ×)`,
  );
  console.log(
    `      ${`a set of ${size.toLocaleString("en")}: ${name}`.padEnd(32)} ` +
      `set ${one.toFixed(3)} ms, ${texts.join(", ")}`,
  );
  await set.erase();
}

/** The time that types take, and what large sets cost. */
export async function schema(): Promise<void> {
  types();
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
  const redis = await redisServer();
  try {
    await redis.start();
    const stores = {
      memory: kv(new Map()),
      SQLite: kv(new DatabaseSync(path.join(folder, "data.db"))),
      Level: kv(new Level(path.join(folder, "level"))),
      Redis: kv(createClient({ url: redis.url })),
    };
    for (const [name, store] of Object.entries(stores)) {
      for (const size of [10, 1000, 1_000_000]) await setOf(size, name, store);
      await store.close();
    }
  } finally {
    await redis.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
