import kv, { type Store } from "../../src/index.ts";
import { place } from "./disk.ts";
import { openClient } from "./open-client.ts";
import { PATIENT } from "./patient.ts";

/** Stores for the tests of integrations, each call over what the earlier ones wrote to SQLite. */
export const CLIENTS: readonly [name: string, open: () => Promise<Store>][] = [
  ["MEMORY", async () => kv(new Map())],
  ["SQLITE", async () => kv((await openClient("SQLITE", folder)) as never, PATIENT)],
];
const folder = place();
