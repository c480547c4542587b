import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkersKv } from "../../../src/clients/cloudflare/index.ts";
import { conformance, type Subject } from "../../../src/conformance/index.ts";
import kv from "../../../src/index.ts";
import { IDLE, startWorkerd } from "../../support/workerd.ts";
import { isFull, runs } from "../../support/runs.ts";
import { bundle } from "../../support/workerd-bundle.ts";
import { emptied, type RawKv } from "../../support/workerd-raw.ts";
import { everyWay } from "../../suites/workerd-ways.ts";

// Those that wrangler bundles a worker with.
const CONDITIONS = ["workerd", "worker", "browser"];

describe("CLOUDFLARE conforms from Node", () => {
  const workerd = startWorkerd(IDLE);
  let binding: WorkersKv & RawKv;
  beforeAll(async () => {
    binding = (await workerd.getKVNamespace("KV")) as unknown as WorkersKv & RawKv;
  });
  afterAll(() => workerd.dispose());

  const subject: Subject = {
    // Each call goes through a proxy.
    open: async () => kv(await emptied(binding), { timeout: "1m" }),
    reopen: () => kv(binding, { timeout: "1m" }),
    foreign: {
      put: (_store, key) => binding.put(key, "theirs"),
      has: async (_store, key) => (await binding.get(key)) !== null,
    },
    runs: runs(10),
  };
  // Each call costs a request: the other statements hold inside of workerd, where calls are cheap.
  const elsewhere = new Set(conformance({ open: subject.open }).map(({ name }) => name));
  const isHere = ({ name }: { name: string }): boolean => isFull || !elsewhere.has(name);
  for (const test of conformance(subject).filter(isHere)) it(test.name, test.run);
  describe("by the real clock", () => {
    const timed = conformance({ ...subject, clock: "real" }).filter(({ name }) =>
      /^E|expire|deadline|touch/.test(name),
    );
    for (const test of timed) it(test.name, test.run);
  });
});

describe("CLOUDFLARE inside workerd", async () => {
  const workerd = startWorkerd(await bundle("workerd-worker.ts", CONDITIONS));
  afterAll(() => workerd.dispose());

  // Here only for the names: the statements run over there.
  for (const [way, [words, tests]] of everyWay({ open: () => kv() }, isFull).entries()) {
    describe(`conforms ${words}`, () => {
      for (const [index, { name }] of tests.entries()) {
        it(name, async () => {
          const response = await workerd.dispatchFetch(
            `http://worker/statement?way=${way}&index=${index}&runs=${runs(15)}`,
          );
          expect(await response.json()).toEqual({ name });
        });
      }
    });
  }

  it("has a Map and a binding side by side, the former made while the worker loads", async () => {
    for (const count of [1, 2]) {
      const response = await workerd.dispatchFetch("http://worker/both");
      expect(await response.json()).toEqual(["MEMORY", count, "CLOUDFLARE", count]);
    }
  });
});
