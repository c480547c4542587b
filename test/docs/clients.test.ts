import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import * as manifests from "../../src/clients/manifests.ts";
import type { Supports } from "../../src/types.ts";

const folder = path.join(import.meta.dirname, "../../docs/clients");
const table = /^## All clients$([\s\S]*?)^## /m.exec(
  readFileSync(path.join(folder, "README.md"), "utf8"),
)![1]!;

interface Row {
  readonly type: string;
  readonly page: string;
  readonly cells: readonly string[];
}

const rows: Row[] = [...table.matchAll(/^\| \[`(\w+)`\]\(([^)]+)\) \|(.*)\|$/gm)].map(
  ([, type, page, rest]) => ({
    type: type!,
    page: page!,
    cells: rest!.split("|").map((cell) => cell.trim()),
  }),
);

const kinds = Object.values(manifests).filter(
  (each): each is manifests.Manifest => typeof each === "object",
);
// What these clients can do depends on the client, or on the server.
const VARIES = ["LRU", "KEYV", "CUSTOM"];
const fixed = kinds.filter(({ type }) => !VARIES.includes(type));

const ATOMIC = {
  no: /^nothing$/,
  process: /^the (process|tab)/,
  yes: /^(processes|tabs|the scope)/,
} as const;

describe("the table of clients", () => {
  it("has a row with a page for each kind", () => {
    expect(rows.map(({ type }) => type).sort()).toEqual(kinds.map(({ type }) => type).sort());
    const missing = rows.filter(({ page }) => !existsSync(path.join(folder, page)));
    expect(missing).toEqual([]);
  });

  it.each(fixed)("tells what $type supports", ({ type, supports }) => {
    const { expires, order, atomic, persistent } = supports as Supports;
    const [, by, ordered, across, survives] = rows.find((row) => row.type === type)!.cells;
    expect(by).toBe(expires === "native" ? "the client" : "anykv");
    expect(ordered).toBe(order ? "yes" : "");
    expect(across).toMatch(ATOMIC[atomic]);
    expect(survives !== "").toBe(persistent);
  });
});
