import { describe, it } from "vitest";
import { conformance, type Subject } from "../../src/conformance/index.ts";
import kv from "../../src/index.ts";
import { isFull, runs } from "../support/runs.ts";

type Statement = ReturnType<typeof conformance>[number];

const prefix = "p%_*[x]:";

function throughPrefix(subject: Subject): Subject {
  const { open, reopen, foreign } = subject;
  return {
    ...subject,
    open: async () => (await open()).prefix(prefix),
    ...(reopen && { reopen: async (store) => (await reopen(store)).prefix(prefix) }),
    ...(foreign && {
      foreign: {
        put: (store, key) => foreign.put(store, prefix + key),
        has: (store, key) => foreign.has(store, prefix + key),
      },
    }),
  };
}

function throughStore(subject: Subject): Subject {
  const { open, reopen } = subject;
  return {
    ...subject,
    open: async () => kv(kv(await open())),
    ...(reopen && { reopen: async (store) => kv(kv(await reopen(store))) }),
  };
}

/**
 * The statements about the clock and a few others, for a client whose kind runs the whole suite
 * elsewhere. All statements in a full run.
 */
export const briefly = (tests: readonly Statement[]): readonly Statement[] =>
  isFull ? tests : tests.filter(({ name }) => /^(E|P1|A1)|expire|deadline|touch/.test(name));

/** Makes a test of each statement of the conformance suite. */
export function certifyDirectly(name: string, subject: Subject): void {
  const own = { ...subject, runs: runs(subject.runs ?? 40) };
  describe(name, () => {
    for (const test of conformance(own)) it(test.name, test.run);
  });
}

/**
 * Runs the conformance suite on a client. With `wrappers` it also runs through a prefix and through
 * a store of a store, which are the same code over every client: a few clients are enough for them,
 * unless `ANYKV_RUNS=full` asks for all.
 */
export function certify(
  name: string,
  subject: Subject,
  { wrappers = false }: { wrappers?: boolean } = {},
): void {
  certifyDirectly(`${name} conforms directly`, subject);
  if (!wrappers && !isFull) return;
  certifyDirectly(`${name} conforms through .prefix("${prefix}")`, throughPrefix(subject));
  certifyDirectly(`${name} conforms through kv(kv(client))`, throughStore(subject));
}
