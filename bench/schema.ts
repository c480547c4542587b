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

const SIZE = 100_000;

/** What a set of 100,000 members costs. */
async function largeSet(name: string, store: Store): Promise<void> {
  const members = Array.from({ length: SIZE }, (_, i) => `member:${i}`);
  const set = DynamicStore("large", "set", { store }).take("a");
  const took = async (work: () => Promise<unknown>): Promise<string> => {
    await work();
    const start = performance.now();
    for (let i = 0; i < 3; i++) await work();
    const ms = (performance.now() - start) / 3;
    return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
  };
  const costs = [
    `write ${await took(() => set.write(members))}`,
    `add one ${await took(() => set.add(String(Math.random())))}`,
    `has ${await took(() => set.has("member:50000"))}`,
    `size ${await took(() => set.size())}`,
    `read ${await took(() => set.read())}`,
  ];
  console.log(
    `      ${`a set of ${SIZE.toLocaleString("en")} members: ${name}`.padEnd(52)} ` +
      `${costs.join(", ")}`,
  );
  await set.erase();
  await store.close();
}

/** The time that types take, and what large sets cost. */
export async function schema(): Promise<void> {
  types();
  const folder = mkdtempSync(path.join(tmpdir(), "anykv-bench-"));
  const redis = await redisServer();
  try {
    await redis.start();
    await largeSet("memory", kv(new Map()));
    await largeSet("SQLite", kv(new DatabaseSync(path.join(folder, "data.db"))));
    await largeSet("Level", kv(new Level(path.join(folder, "level"))));
    await largeSet("Redis", kv(createClient({ url: redis.url })));
  } finally {
    await redis.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
