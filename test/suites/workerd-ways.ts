import { conformance, type ConformanceTest, type Subject } from "../../src/conformance/index.ts";
import kv from "../../src/index.ts";

const prefix = "p%_*[x]:";

/**
 * The conformance suite on a client directly, and with `wrappers` through a prefix and through a
 * store of a store. Needs no test runner.
 */
export function everyWay(
  subject: Subject,
  wrappers: boolean,
): readonly (readonly [way: string, tests: ConformanceTest[]])[] {
  const { open } = subject;
  const ways: [string, ConformanceTest[]][] = [
    ["directly", conformance(subject)],
    [
      `through .prefix("${prefix}")`,
      conformance({ ...subject, open: async () => (await open()).prefix(prefix) }),
    ],
    ["through kv(kv(client))", conformance({ ...subject, open: async () => kv(kv(await open())) })],
  ];
  return wrappers ? ways : ways.slice(0, 1);
}
