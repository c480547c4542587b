import { describe } from "vitest";
import type { VersionedStore } from "../../src/versioned/index.ts";
import { type CaseOf, casesOn } from "./cases.ts";
import { counting } from "./versioned/counting.ts";
import { keeping } from "./versioned/keeping.ts";
import { listing } from "./versioned/listing.ts";
import { transactions } from "./versioned/transactions.ts";
import { watching } from "./versioned/watching.ts";

type Opened = VersionedStore | Promise<VersionedStore>;

/** What is known of the store that the suite runs on. */
export interface VersionedSubject {
  /**
   * Another store over the same data, as another process would have it: with a connection of its
   * own.
   */
  another?: (() => Opened) | undefined;
  /** The longest text of a key, where there is a limit. */
  keyBytes?: number | undefined;
  /**
   * How many values of a transaction are checked or counted at most, where the client takes fewer
   * than 100.
   */
  checks?: number | undefined;
}

/** One statement about a store. The store is empty at first, and closed afterwards. */
export type Case = CaseOf<VersionedStore>;

/**
 * Everything that a versioned store promises, whatever it is over. `open` answers with an empty
 * store.
 */
export function versionedSuite(
  name: string,
  open: () => Opened,
  subject: VersionedSubject = {},
): void {
  const test = casesOn(open);
  describe(`${name} as a versioned store`, () => {
    keeping(test, subject);
    listing(test);
    transactions(test, subject);
    counting(test, subject);
    watching(test, subject);
  });
}
