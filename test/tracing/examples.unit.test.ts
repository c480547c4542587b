import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { expect, it } from "vitest";
import kv from "../../src/index.ts";
import { trace } from "../../src/tracing/index.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/tracing.md"), "utf8");

/** The examples in TypeScript of the page, without their types, as modules. */
const examples = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)];

const importOf = (place: number): Promise<{ observe(...args: unknown[]): void }> => {
  const [, code] = examples[place]!;
  const script = Buffer.from(stripTypeScriptTypes(code!)).toString("base64");
  return import(/* @vite-ignore */ `data:text/javascript;base64,${script}`);
};

it("the examples have at most 20 lines", () => {
  expect(examples.length).toBe(2);
  for (const [, code] of examples) expect(code!.trimEnd().split("\n").length).toBeLessThan(21);
});

it("the example for Prometheus counts what is reported", async () => {
  const seen: unknown[] = [];
  class Histogram {
    readonly labels: string[];
    constructor({ labelNames }: { labelNames: string[] }) {
      this.labels = labelNames;
    }
    observe(labels: object, value: number): void {
      expect(Object.keys(labels)).toEqual(this.labels);
      expect(value).toBeLessThan(10);
      seen.push(labels);
    }
  }
  (await importOf(0)).observe({ Histogram }, ["get", "set"]);
  const store = trace(kv(new Map()));
  await store.set("a", 1);
  await store.get("a");
  await store.get("").catch(() => {});
  expect(seen).toEqual([
    { client: "MEMORY", operation: "set", outcome: "ok" },
    { client: "MEMORY", operation: "get", outcome: "hit" },
    { client: "MEMORY", operation: "get", outcome: "KV_INVALID_KEY" },
  ]);
});

it("the example for OpenTelemetry makes and ends spans", async () => {
  const seen: unknown[] = [];
  const startSpan = (name: string) => ({
    setAttributes: (all: object) => seen.push(name, all),
    setStatus: (to: object) => seen.push(to),
    end: () => seen.push("end"),
  });
  (await importOf(1)).observe({ startSpan }, "has");
  const store = trace(kv(new Map()));
  await store.has("a");
  await store.has("").catch(() => {});
  const attributes = { "db.system.name": "MEMORY", "db.operation.name": "has" };
  expect(seen).toEqual([
    ...["anykv has", { ...attributes, outcome: "miss" }, "end"],
    ...["anykv has", { ...attributes, outcome: "KV_INVALID_KEY" }, { code: 2 }, "end"],
  ]);
});
