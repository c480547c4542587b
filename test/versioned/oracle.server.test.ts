import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import kv from "../../src/index.ts";
import { versioned } from "../../src/versioned/index.ts";
import { runDeno } from "../support/deno.ts";
import { temporaryFolder } from "../support/folders.ts";
import { answersOf, CASES } from "../suites/oracle/cases.ts";
import { DIFFERENCES, differencesOf } from "../suites/oracle/differences.ts";
import { oracleApiOf } from "../suites/oracle/api.ts";
import { bundle } from "../support/workerd-bundle.ts";

type Answers = { [name: string]: string[] };

const folder = temporaryFolder();
let deno: { deno: Answers; map: Answers; over: Answers; differences: { [name: string]: string } };
let ours: { [where: string]: Answers };

beforeAll(async () => {
  const file = `${folder.path}/oracle.mjs`;
  writeFileSync(file, await bundle("deno-oracle-program.ts", ["deno", "browser"]));
  deno = JSON.parse(await runDeno(folder.path, file)) as typeof deno;
  const here = {
    "in Node over a Map": await answersOf(() => oracleApiOf(versioned(kv(new Map())))),
    "in Node over SQLite": await answersOf(() =>
      oracleApiOf(versioned(kv(new DatabaseSync(":memory:")))),
    ),
  };
  ours = { ...here, "in Deno over a Map": deno.map, "in Deno over Deno KV": deno.over };
});
afterAll(() => folder.remove());

describe.each([
  "in Node over a Map",
  "in Node over SQLite",
  "in Deno over a Map",
  "in Deno over Deno KV",
])("the versioned store %s answers as Deno KV does", (where) => {
  it.each(Object.keys(CASES))("%s", (name) => {
    expect(deno.deno[name]!.length).toBeGreaterThan(0);
    expect(ours[where]![name]).toEqual(deno.deno[name]);
  });
});

describe("the two differ on purpose", () => {
  it.each(Object.entries(DIFFERENCES))("in %s", async (name, { deno: theirs, ours: expected }) => {
    const found = await differencesOf(() => oracleApiOf(versioned(kv(new Map()))));
    expect([deno.differences[name], found[name]]).toEqual([theirs, expected]);
  });
});
