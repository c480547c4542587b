import type * as FastCheck from "fast-check";
import { requireVersion } from "../platform/require-version.ts";
import type { Subject } from "./subject.ts";

/** @throws an Error that names the package where it is missing. */
export async function loadFastCheck(): Promise<typeof FastCheck> {
  let fastCheck: typeof FastCheck;
  try {
    fastCheck = await import("fast-check");
  } catch (cause) {
    throw new Error(
      "the model-based statement needs fast-check: npm install --save-dev fast-check",
      { cause },
    );
  }
  requireVersion("anykv/conformance", "fast-check", "3", fastCheck.__version);
  return fastCheck;
}

/** How many random sequences a statement runs, and from which seed. A failure names the seed. */
export function parameters({ runs = 40, seed }: Subject): FastCheck.Parameters<unknown> {
  return { numRuns: runs, endOnFailure: true, ...(seed === undefined ? {} : { seed }) };
}
