import { KvError } from "../errors.ts";

/** How many checks and writes a transaction may have. */
export const MOST_CHECKS = 100;
export const MOST_WRITES = 1000;

/** @throws {KvError} KV_TOO_LARGE for more than that. */
export function refuseMore(count: number, most: number, what: string): void {
  if (count > most)
    throw new KvError(
      "KV_TOO_LARGE",
      `a transaction has at most ${most} ${what}, this one ${count}: split it`,
    );
}
