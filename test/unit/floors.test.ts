import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";

const root = path.join(import.meta.dirname, "../../src");

// Imports only go down: from a higher number to a lower one. Files of floor 1 and 3 may use each
// other, without a cycle.
const FLOORS: readonly [pattern: RegExp, floor: number][] = [
  [/^(types|errors|api)\.ts$/, 0],
  [/^clients\/define\.ts$/, 1.5],
  [/^clients\//, 2],
  [
    /^(connection|context|ending|failure|guard|in-turn|items|lazy|listing|operations|perform|promised-store|store|sweep|sweeping|turns)\.ts$/,
    3,
  ],
  [/^(core|detect|index)\.ts$/, 4],
  [/^reactive\/(react|vue|svelte|solid)\.ts$/, 6],
  [
    /^(codec\.ts|conformance\/|atomic\/|versioned\/|http\/|namespace\/|lua\/|schema\/|reactive\/)/,
    5,
  ],
  [/^(disk\/|browser\/|database\/|servers\/|[^/]+\.ts$)/, 1],
];

// Faces know no other face, but for these.
const USES: { readonly [face: string]: readonly string[] } = {
  versioned: ["atomic"],
  schema: ["atomic"],
  http: ["atomic", "versioned"],
  lua: ["namespace"],
};

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);
const floorOf = (file: string): number => FLOORS.find(([pattern]) => pattern.test(file))![1];

function importsOf(file: string): string[] {
  const text = readFileSync(path.join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(
    (match) => match[1]!,
  );
  return specifiers.map((specifier) => path.join(path.dirname(file), specifier));
}

const graph = new Map(files.map((file) => [file, importsOf(file)]));

it("knows every file and every import", () => {
  expect(files.length).toBeGreaterThan(20);
  expect([...graph.values()].flat().filter((target) => !files.includes(target))).toEqual([]);
  expect(graph.get("detect.ts")).toContain(path.join("clients", "level.ts"));
});

it("imports go down", () => {
  const wrong: string[] = [];
  for (const [file, targets] of graph) {
    // load.ts alone goes up, by import().
    for (const target of file === "load.ts" ? [] : targets) {
      const [from, to] = [floorOf(file), floorOf(target)];
      const beside = from === to && (Math.floor(from) !== 2 || from === 1.5);
      const isOther = from === 5 && to === 5 && path.dirname(file) !== path.dirname(target);
      const otherFace = isOther && !USES[path.dirname(file)]?.includes(path.dirname(target));
      if (from < to || (from === to && !beside) || otherFace)
        wrong.push(`${file} (F${from}) imports ${target} (F${to})`);
    }
  }
  expect(wrong).toEqual([]);
});

// These take no store, and mean certain clients: through detection they would bring all of them
// along.
const CLIENTS_OF: { readonly [file: string]: readonly string[] } = {
  "versioned/connect.ts": ["clients/http.ts"],
  "namespace/default.ts": ["clients/define.ts", "clients/memory.ts", "clients/sqlite.ts"],
};

it("faces import neither detection nor clients", () => {
  const isWrong = (file: string, target: string): boolean =>
    /^(detect|index)\.ts$|^clients\//.test(target) && !CLIENTS_OF[file]?.includes(target);
  const wrong = [...graph].filter(
    ([file, targets]) => floorOf(file) === 5 && targets.some((target) => isWrong(file, target)),
  );
  expect(wrong).toEqual([]);
});

it("has no cycle", () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(" → "));
    if (done.has(file) || way.includes(file)) return;
    // load.ts alone goes up, by import(): what it loads is built on what asks for it.
    for (const target of file === "load.ts" ? [] : (graph.get(file) ?? []))
      visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});
