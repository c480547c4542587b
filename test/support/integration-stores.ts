import { expect } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { place } from "./disk.ts";
import { openClient } from "./open-client.ts";
import { PATIENT } from "./patient.ts";

const folder = place();

/** The stores that every integration is tested over. */
export const INTEGRATION_STORES: readonly [name: string, open: () => Promise<Store>][] = [
  ["MEMORY", async () => kv(new Map())],
  ["SQLITE", async () => kv((await openClient("SQLITE", folder)) as never, PATIENT)],
];

/** The error that has this code, for `toThrow` and `rejects`. */
export const withCode = (code: string): Error => expect.objectContaining({ code }) as Error;
