import type { Store } from "../api.ts";
import { type Clock, withClock } from "./clock.ts";

/** The client under test. */
export interface Subject {
  /** A store over a client without any records. Called once for each statement. */
  open(): Store | Promise<Store>;
  /** Removes the data of `open`. The store has been closed by then. */
  cleanup?(store: Store): unknown;
  /**
   * A second store over the data of a store that was closed: proves that records, deadlines and
   * cursors outlive it.
   */
  reopen?(store: Store): Store | Promise<Store>;
  /**
   * Foreign items in the client: proves that they survive. `key` is as the client
   * sees it.
   */
  foreign?: {
    put(store: Store, key: string): unknown;
    has(store: Store, key: string): boolean | Promise<boolean>;
  };
  /**
   * The store has a codec, which may keep more than JSON: statements that only hold for JSON are
   * left out. Default `false`.
   */
  codec?: boolean;
  /** `"real"` waits for time to pass, for servers that go by their own clock. Default `"fake"`. */
  clock?: "fake" | "real";
  /** How many random sequences the model-based statement runs. Default 40. */
  runs?: number;
  /** The seed of the random sequences; a failure names the one to repeat it with. */
  seed?: number;
}

/** One statement of the contract, ready for any test runner. */
export interface ConformanceTest {
  /** The number of the statement, e.g. `"E1"`. */
  readonly id: string;
  /** The number and the text of the statement. */
  readonly name: string;
  /** Resolves when the statement holds, and rejects with the fault otherwise. */
  run(): Promise<void>;
}

/** The argument of a statement. */
export interface Trial {
  readonly store: Store;
  readonly clock: Clock;
  readonly subject: Subject;
}

export type Statement = readonly [
  id: string,
  text: string,
  body: (trial: Trial) => Promise<void>,
  when?: (subject: Subject) => boolean,
];

/** The statements as tests over a subject. */
export function testsOf(subject: Subject, statements: readonly Statement[]): ConformanceTest[] {
  return statements
    .filter(([, , , when]) => when === undefined || when(subject))
    .map(([id, text, body]) => ({
      id,
      name: `${id} ${text}`,
      run: () =>
        withClock(subject.clock ?? "fake", async (clock) => {
          const store = await subject.open();
          try {
            // The capabilities of the client are certain after one operation.
            await store.has("x");
            await body({ store, clock, subject });
          } finally {
            await store.close();
            await subject.cleanup?.(store);
          }
        }),
    }));
}
