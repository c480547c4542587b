import type { Store } from "../api.ts";
import type { Client } from "../clients/client.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import type { TierOptions } from "./l1.ts";
import { type Time, timeOf } from "./options.ts";

/** The first of two tiers: values in the memory of this process. */
export interface L1Options {
  /** The most values. Default 1,000. */
  entries?: number | undefined;
  /** The most bytes of memory that the values take, as estimated. Default 10,000,000. */
  bytes?: number | undefined;
  /** How old a value may become here, since it was read from the second tier. Default `"5s"`. */
  ttl?: Time | undefined;
}

/** Two tiers: memory of this process, and a store that all processes share. */
export interface Tiers {
  readonly l1: L1Options;
  readonly l2: Client | PromiseLike<Client> | Store;
}

export const isTiers = (input: unknown): input is Tiers =>
  Object.prototype.toString.call(input) === "[object Object]" &&
  Object.hasOwn(input as object, "l2") &&
  Object.hasOwn(input as object, "l1");

/** @throws {KvError} KV_INVALID_VALUE unless it is a whole number from 1. */
function countOf(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new KvError("KV_INVALID_VALUE", `${name} of l1 has to be a whole number from 1`);
}

/** @throws {KvError} KV_INVALID_VALUE or KV_INVALID_EXPIRES */
export function tierOptions({ l1 }: Tiers): TierOptions {
  checkOptions(l1, ["entries", "bytes", "ttl"], "l1");
  const { entries = 1000, bytes = 10_000_000, ttl = 5 } = l1;
  return {
    entries: countOf("entries", entries),
    bytes: countOf("bytes", bytes),
    ttl: timeOf("ttl", ttl),
  };
}
