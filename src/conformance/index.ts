import { atomicity } from "./atomicity.ts";
import { expiry } from "./expiry.ts";
import { keys } from "./keys.ts";
import { listing } from "./listing.ts";
import { model } from "./model.ts";
import { members } from "./members.ts";
import { order } from "./order.ts";
import { prefixes } from "./prefixes.ts";
import { type ConformanceTest, type Subject, testsOf } from "./subject.ts";
import { watching } from "./watching.ts";
import { values } from "./values.ts";
import { walking } from "./walking.ts";

export { ConformanceError } from "./check.ts";
export type { ConformanceTest, Subject } from "./subject.ts";

/**
 * The numbered contract of a store as tests: values (V), keys (K), expiry (E), prefixes and
 * listing (P), closing (N2), atomicity (A), call order (O), watching (W), and random sequences of
 * operations against a model (needs `fast-check`).
 *
 * Run them one after the other: with the `"fake"` clock each of them replaces `Date.now` while it
 * runs.
 *
 * It knows no test runner: it returns named functions. A client without a capability (see
 * `supports`) is tested for the right rejection.
 *
 * @example
 * ```js test
 * import test from "node:test";
 * import kv from "anykv";
 * import { conformance } from "anykv/conformance";
 *
 * for (const { name, run } of conformance({ open: () => kv(new Map()), runs: 5 })) test(name, run);
 * ```
 */
export function conformance(subject: Subject): ConformanceTest[] {
  return testsOf(subject, [
    ...values,
    ...keys,
    ...expiry,
    ...prefixes,
    ...listing,
    ...walking,
    ...members,
    ...atomicity,
    ...order,
    ...watching,
    ...model,
  ]);
}
