import { openKv } from "@deno/kv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deno } from "../../../src/clients/deno/index.ts";
import { conformance } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { briefly, certify } from "../../suites/certify.ts";
import { runDeno, writeDenoProgram } from "../../support/deno.ts";
import { temporaryFolder } from "../../support/folders.ts";
import { isFull, runs } from "../../support/runs.ts";
import { everyWay } from "../../suites/workerd-ways.ts";
import { PATIENT } from "../../support/patient.ts";

let db: Awaited<ReturnType<typeof openKv>>;

certify("DENO by @deno/kv in memory", {
  open: async () => kv((db = await openKv(":memory:")), PATIENT),
  foreign: {
    put: (_store, key) => db.set(["anykv", key], { theirs: 1 }),
    has: async (_store, key) => (await db.get(["anykv", key])).versionstamp !== null,
  },
  runs: 15,
});

let folder = temporaryFolder();
afterAll(() => folder.remove());

certify("DENO by @deno/kv in a file, with a prefix of its own", {
  open: async () => {
    folder.remove();
    folder = temporaryFolder();
    return kv(deno(await openKv(`${folder.path}/db`), { prefix: ["a", 1, true] }), PATIENT);
  },
  reopen: async () =>
    kv(deno(await openKv(`${folder.path}/db`), { prefix: ["a", 1, true] }), PATIENT),
  runs: 5,
});

describe("DENO conforms by the real clock", () => {
  for (const { name, run } of briefly(
    conformance({ open: async () => kv(await openKv(":memory:"), PATIENT), clock: "real" }),
  ))
    it(name, run);
});

describe("DENO in Deno", () => {
  const program = temporaryFolder();
  let results = new Map<string, string | null>();
  beforeAll(async () => {
    const output = await runDeno(
      program.path,
      await writeDenoProgram(program.path),
      "suite",
      `${program.path}/db`,
      `${runs(10)}`,
      isFull ? "full" : "",
    );
    const lines = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; failure: string | null });
    results = new Map(lines.map(({ name, failure }) => [name, failure]));
  });
  afterAll(() => program.remove());

  for (const where of [":memory:", "file"]) {
    // Here only for the names: the statements have run over there.
    for (const [way, tests] of everyWay({ open: () => kv() }, isFull)) {
      for (const { name } of tests)
        it(`${where} ${way}: ${name}`, () =>
          expect(results.get(`${where} ${way}: ${name}`)).toBe(null));
    }
  }
});
