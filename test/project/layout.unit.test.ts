import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.join(import.meta.dirname, "../../src");

// One folder each.
const APIS: readonly string[] = [
  "atomic",
  "cache",
  "cache-like",
  "compressed",
  "conformance",
  "encrypted",
  "http",
  "limit",
  "lua",
  "namespace",
  "reactive",
  "schema",
  "session",
  "tracing",
  "versioned",
  "web-storage-like",
];

// The floors of the house, from the bottom. A file imports from its own floor and from those below.
const FLOORS: readonly RegExp[] = [
  /^(types|errors)\.ts$/,
  /^(expires|api)\.ts$|^record\//,
  /^prefix\.ts$|^(concurrency|platform)\//,
  /^clients\/(adapter|client|define|manifests|requires)\.ts$/,
  /^clients\/shared\//,
  /^clients\/(?!detect\.ts|unknown\.ts)/,
  /^clients\/|^store\//,
  /^(index|core)\.ts$/,
  new RegExp(`^codec\\.ts$|^(${APIS.join("|")})/`),
  /^with\//,
];
const [CLIENT, API] = [5, 8];

/** The floor of a file: a number from 0; -1 where no floor has it. */
const floorOf = (file: string): number => FLOORS.findIndex((pattern) => pattern.test(file));

const ROOT_FILES = ["api", "codec", "core", "errors", "expires", "index", "prefix", "types"];

// It imports the code of the store when that is first needed.
const LAZY_IMPORT = "platform/load.ts";

// APIs know no other API, but for these.
const APIS_USED: { readonly [api: string]: readonly string[] } = {
  "cache-like": ["atomic"],
  limit: ["atomic"],
  versioned: ["atomic"],
  schema: ["atomic"],
  http: ["atomic", "versioned"],
  lua: ["namespace"],
};

// These APIs mean certain clients. Detection would add all clients to their bundles.
const CLIENTS_USED: { readonly [file: string]: readonly string[] } = {
  "cache/create.ts": ["clients/client.ts", "index.ts"],
  "cache/tiers.ts": ["clients/client.ts"],
  "compressed/compressed.ts": ["clients/client.ts", "index.ts"],
  "encrypted/encrypted.ts": ["clients/client.ts", "index.ts"],
  "versioned/connect.ts": ["clients/http/index.ts"],
  "namespace/default.ts": [
    "clients/define.ts",
    "clients/memory.ts",
    "clients/sqlite/index.ts",
    "clients/sqlite/handle.ts",
  ],
};

// Public names that several entries export, each with its own meaning.
const SHARED_NAMES = new Set([
  "kv",
  "useKV",
  "createKVStore",
  "Storable",
  "Key",
  "StaticStore",
  "DynamicStore",
]);

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);
const textOf = (file: string): string => readFileSync(path.join(root, file), "utf8");

function importsOf(file: string): string[] {
  const text = textOf(file).replace(/\/\*[\s\S]*?\*\//g, "");
  const specifiers = text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...specifiers].map(([, specifier]) => path.join(path.dirname(file), specifier!));
}

const graph = new Map(files.map((file) => [file, importsOf(file)]));

/** Every import as `[file, imported file]`, without the one that goes up on purpose. */
const imports = [...graph].flatMap(([file, targets]) =>
  file === LAZY_IMPORT ? [] : targets.map((target) => [file, target] as const),
);
const pairs = (wrong: readonly (readonly [string, string])[]): string[] =>
  wrong.map(([file, target]) => `${file} imports ${target}`);

/** The folder of a client that is a folder: `clients/redis`. */
const clientOf = (file: string): string | undefined =>
  floorOf(file) === CLIENT ? file.split(path.sep, 2).join("/") : undefined;

describe("the layout of src/", () => {
  it("has every file on a floor, and every import is a file", () => {
    expect(files.length).toBeGreaterThan(200);
    expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
    expect(imports.filter(([, target]) => !files.includes(target))).toEqual([]);
    expect(graph.get("clients/detect.ts")).toContain("clients/level/index.ts");
  });

  it("has only the listed files in its root", () => {
    const found = files.filter((file) => !file.includes(path.sep));
    expect(found.sort()).toEqual(ROOT_FILES.map((name) => `${name}.ts`));
  });

  it("imports from its own floor and from those below", () => {
    expect(pairs(imports.filter(([file, target]) => floorOf(file) < floorOf(target)))).toEqual([]);
  });

  it("has clients that import no part of another client", () => {
    const wrong = imports.filter(([file, target]) => {
      const other = clientOf(target);
      return clientOf(file) !== undefined && other !== undefined && other !== clientOf(file);
    });
    expect(pairs(wrong)).toEqual([]);
  });

  it("has APIs that import only the listed APIs and clients", () => {
    const wrong = imports.filter(([file, target]) => {
      if (floorOf(file) !== API) return false;
      const [own, other] = [path.dirname(file), path.dirname(target)];
      if (floorOf(target) === API && target !== "codec.ts" && own !== other)
        return !APIS_USED[own]?.includes(other);
      const isClient =
        target === "index.ts" || /^clients\/(?!adapter\.ts|manifests\.ts|shared\/)/.test(target);
      return isClient && !CLIENTS_USED[file]?.includes(target);
    });
    expect(pairs(wrong)).toEqual([]);
  });

  it("has no cycle of imports", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(" → "));
      if (done.has(file) || way.includes(file)) return;
      for (const target of file === LAZY_IMPORT ? [] : (graph.get(file) ?? []))
        visit(target, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("has no file whose name begins with the name of its folder", () => {
    const repeats = (file: string): boolean => {
      const folder = path.basename(path.dirname(file)).replace(/s$/, "");
      return path.basename(file).startsWith(`${folder}-`);
    };
    expect(files.filter(repeats)).toEqual([]);
  });

  it("has no line of more than 100 columns, but for URLs", () => {
    const names = ["src", "scripts", "bench", "test", "examples"];
    const tops = names.map((name) => path.join(root, "..", name));
    const wrong = tops.flatMap((top) =>
      readdirSync(top, { recursive: true, encoding: "utf8" })
        .filter((file) => /\.(ts|mjs|tsx|svelte)$/.test(file) && !/node_modules/.test(file))
        .flatMap((file) => {
          const lines = readFileSync(path.join(top, file), "utf8").split("\n");
          const isLong = (line: string): boolean => line.length > 100 && !/https?:/.test(line);
          return lines.flatMap((line, i) => (isLong(line) ? [`${file}:${i + 1}`] : []));
        }),
    );
    expect(wrong).toEqual([]);
  });

  it("exports each identifier from one file", () => {
    const byName = new Map<string, string[]>();
    for (const file of files) {
      const code = textOf(file).replace(/\/\*[\s\S]*?\*\//g, "");
      const declared = code.matchAll(
        /^export (?:async )?(?:declare )?(?:const|let|function\*?|class|interface|type) (\w+)/gm,
      );
      for (const name of new Set([...declared].map((match) => match[1]!)))
        byName.set(name, [...(byName.get(name) ?? []), file]);
    }
    const twice = [...byName].filter(([name, at]) => at.length > 1 && !SHARED_NAMES.has(name));
    expect(twice.map(([name, at]) => `${name}: ${at.join(", ")}`)).toEqual([]);
  });
});
