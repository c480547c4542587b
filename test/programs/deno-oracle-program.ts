/**
 * A program for Deno: prints what its own database answers in each case of the oracle, and what the
 * versioned store over a Map, and over that database, answer there.
 */
import kv from "../../src/index.ts";
import type { DenoKv } from "../../src/clients/deno/index.ts";
import { versioned } from "../../src/versioned/index.ts";
import { answersOf } from "../suites/oracle/cases.ts";
import { differencesOf } from "../suites/oracle/differences.ts";
import { type DenoDatabase, denoFace, type OracleApi, oracleApiOf } from "../suites/oracle/api.ts";

declare const Deno: {
  openKv(path: string): Promise<unknown>;
  KvU64: new (value: bigint) => object;
};

const open = async (): Promise<OracleApi> =>
  denoFace((await Deno.openKv(":memory:")) as DenoDatabase, Deno.KvU64);
const answers = {
  deno: await answersOf(open),
  differences: await differencesOf(open),
  map: await answersOf(() => oracleApiOf(versioned(kv(new Map())))),
  over: await answersOf(async () =>
    oracleApiOf(versioned(kv((await Deno.openKv(":memory:")) as DenoKv as never))),
  ),
};
console.log(JSON.stringify(answers));
