import { describe } from "vitest";
import type { Store } from "../../src/api.ts";
import { type CaseOf, casesOn } from "./cases.ts";
import { large } from "./schema/large.ts";
import { agreement } from "./schema/model.ts";
import { together } from "./schema/together.ts";
import { trees } from "./schema/trees.ts";
import { values } from "./schema/values.ts";

type Opened = Store | Promise<Store>;

/** What is known of the store that the suite runs on. */
export interface SchemaSubject {
  /**
   * Another store over the same data, as another process would have it: with a connection of its
   * own. Default: over the same.
   */
  another?: (() => Opened) | undefined;
  /** How many characters the largest value has. Default 2,000,000. */
  large?: number | undefined;
}

/** One statement about a store. The store is empty at first, and closed afterwards. */
export type Case = CaseOf<Store>;

/**
 * Everything that typed stores promise, whatever they are over. `open` answers with an empty store.
 */
export function schemaSuite(name: string, open: () => Opened, subject: SchemaSubject = {}): void {
  const test = casesOn(open);
  describe(`typed stores over ${name}`, () => {
    values(test, subject);
    trees(test);
    together(test, subject);
    large(test);
    agreement(test);
  });
}
