import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createCache } from "../../src/cache/index.ts";
import kv from "../../src/index.ts";
import { runs } from "../support/runs.ts";
import { preload } from "./preload.ts";

beforeAll(preload);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const TTL = 10;
const GRACE = 20;
// No load ends at the same moment.
const TIMEOUT = 3.131;
const KEYS = ["a", "b"];
const TAGS = ["t", "u"];

/** What happens, each some seconds after the one before. */
type Step =
  | { kind: "get" | "del" | "expire"; key: string }
  | { kind: "set"; key: string; tags: string[] }
  | { kind: "expireTags" | "delTags"; tags: string[] }
  | { kind: "clear" }
  | {
      kind: "load";
      key: string;
      outcome: "value" | "null" | "fails";
      takes: number;
      tags: string[];
    };

const key = fc.constantFrom(...KEYS);
const tags = fc.constantFrom([], ["t"], ["u"], TAGS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("load" as const),
      key,
      outcome: fc.constantFrom("value", "value", "null", "fails"),
      takes: fc.constantFrom(0, 0, 1, 2, 4, 8),
      tags,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("get", "del", "expire"), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("set" as const), key, tags }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("expireTags", "delTags"), tags }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

/** What is known to be cached under a key. */
interface Modelled {
  value: string;
  fresh: number;
  until: number;
  tags: readonly string[];
}

/** A load under way. */
interface Loading {
  readonly ends: number;
  readonly outcome: "value" | "null" | "fails";
  readonly value: string;
  readonly tags: readonly string[];
  /** Whether the key was written since it began. */
  isOutdated: boolean;
  /** What was invalidated since it began. */
  readonly expired: Set<string>;
  readonly deleted: Set<string>;
}

/** A cache in a few lines: what is to be answered, with times in seconds. */
class Oracle {
  now = 0;
  readonly cached = new Map<string, Modelled>();
  readonly loading = new Map<string, Loading>();
  /** Until when a failed load of a stale value is not tried again, and how many failed in a row. */
  readonly pauses = new Map<string, { until: number; failures: number }>();

  state(key: string): "fresh" | "stale" | "absent" {
    const { fresh, until } = this.cached.get(key) ?? { fresh: 0, until: 0 };
    return this.now < fresh ? "fresh" : this.now < until ? "stale" : "absent";
  }

  store(key: string, value: string, tags: readonly string[]): void {
    const fresh = this.now + TTL;
    this.cached.set(key, { value, fresh, until: fresh + GRACE, tags });
    this.pauses.delete(key);
  }

  forget(key: string): void {
    this.cached.delete(key);
    this.pauses.delete(key);
    const loading = this.loading.get(key);
    if (loading !== undefined) loading.isOutdated = true;
    this.loading.delete(key);
  }

  /** Ends the loads that are over by now, in the order of their ends. */
  settle(loads: readonly (readonly [string, Loading])[]): void {
    for (const [key, load] of loads) {
      if (this.loading.get(key) === load) this.loading.delete(key);
      if (load.isOutdated) continue;
      if (load.outcome === "fails") {
        if (this.state(key) === "absent") continue;
        const failures = (this.pauses.get(key)?.failures ?? 0) + 1;
        this.pauses.set(key, {
          until: this.now + Math.min(1, 0.1 * 2 ** (failures - 1)),
          failures,
        });
      } else if (load.outcome === "null") {
        this.cached.delete(key);
        this.pauses.delete(key);
      } else {
        this.store(key, load.value, load.tags);
        const stored = this.cached.get(key)!;
        if (load.tags.some((tag) => load.deleted.has(tag))) this.cached.delete(key);
        else if (load.tags.some((tag) => load.expired.has(tag))) stored.fresh = this.now;
      }
    }
  }
}

describe("a cache behaves as a model of it", () => {
  it("with random loaders, tags and invalidations, by a clock of the test", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(0, 0.5, 1, 4, 9, 12, 25), step), {
          maxLength: 30,
          size: "max",
        }),
        async (steps) => {
          const cache = createCache(kv(new Map()), {
            ttl: TTL,
            grace: GRACE,
            timeout: TIMEOUT,
            jitter: 0,
          });
          const oracle = new Oracle();
          const begun = Date.now();
          const pending: (readonly [string, Loading])[] = [];
          let count = 0;

          /** Lets time pass, second by half second, in the cache and in the model. */
          const pass = async (seconds: number): Promise<void> => {
            const end = oracle.now + seconds;
            for (;;) {
              const next = pending.filter(([, { ends }]) => ends <= end);
              next.sort(([, a], [, b]) => a.ends - b.ends);
              const at = next[0]?.[1].ends ?? end;
              await vi.advanceTimersByTimeAsync(begun + at * 1000 - Date.now());
              oracle.now = at;
              const over = pending.filter(([, { ends }]) => ends <= at);
              for (const each of over) pending.splice(pending.indexOf(each), 1);
              oracle.settle(over);
              if (next.length === 0) return;
            }
          };

          for (const [wait, what] of steps) {
            await pass(wait);
            const label = `${JSON.stringify(what)} at ${oracle.now}`;
            switch (what.kind) {
              case "get": {
                const isFresh = oracle.state(what.key) === "fresh";
                const expected = isFresh ? oracle.cached.get(what.key)!.value : null;
                expect([label, await cache.get(what.key)]).toEqual([label, expected]);
                break;
              }
              case "del":
                await cache.del(what.key);
                oracle.forget(what.key);
                break;
              case "set": {
                const value = `set ${++count}`;
                await cache.set(what.key, value, { tags: what.tags });
                oracle.forget(what.key);
                oracle.store(what.key, value, what.tags);
                break;
              }
              case "expire": {
                const before = oracle.cached.get(what.key);
                const isThere = oracle.state(what.key) !== "absent";
                expect([label, await cache.expire(what.key)]).toEqual([label, isThere]);
                const pause = oracle.pauses.get(what.key);
                oracle.forget(what.key);
                if (!isThere) break;
                const until = oracle.now + GRACE;
                oracle.cached.set(what.key, { ...before!, fresh: oracle.now, until });
                // Loads may be tried at once, and failures still count.
                if (pause) oracle.pauses.set(what.key, { until: 0, failures: pause.failures });
                break;
              }
              case "clear":
                await cache.clear();
                for (const each of KEYS) oracle.forget(each);
                break;
              case "expireTags":
              case "delTags": {
                const isSoft = what.kind === "expireTags";
                await cache[what.kind](what.tags);
                for (const load of oracle.loading.values())
                  for (const tag of what.tags) (isSoft ? load.expired : load.deleted).add(tag);
                for (const [name, entry] of oracle.cached) {
                  if (!entry.tags.some((tag) => what.tags.includes(tag))) continue;
                  if (isSoft) entry.fresh = Math.min(entry.fresh, oracle.now);
                  else {
                    oracle.cached.delete(name);
                    oracle.pauses.delete(name);
                  }
                }
                break;
              }
              case "load": {
                const value = `loaded ${++count}`;
                const state = oracle.state(what.key);
                const before = oracle.cached.get(what.key)?.value;
                const isPaused = (oracle.pauses.get(what.key)?.until ?? 0) > oracle.now;
                const under = oracle.loading.get(what.key);
                const begins = state === "absent" || (state === "stale" && !isPaused);
                let load = under;
                if (begins && under === undefined) {
                  load = {
                    ends: oracle.now + what.takes,
                    outcome: what.outcome,
                    value,
                    tags: what.tags,
                    isOutdated: false,
                    expired: new Set(),
                    deleted: new Set(),
                  };
                  oracle.loading.set(what.key, load);
                  pending.push([what.key, load]);
                }
                const answers: unknown[] = [];
                const loader = async (): Promise<string | null> => {
                  if (what.takes > 0)
                    await new Promise((resolve) => setTimeout(resolve, what.takes * 1000));
                  if (what.outcome === "fails") throw new Error("down");
                  return what.outcome === "null" ? null : value;
                };
                const answer = cache.getOrSet(what.key, loader, { tags: what.tags }).then(
                  (result) => answers.push(result),
                  (error: Error) => answers.push(error.message),
                );
                // What the caller gets, and when.
                const loaded =
                  load === undefined
                    ? undefined
                    : load.outcome === "fails"
                      ? "down"
                      : load.outcome === "null"
                        ? null
                        : load.value;
                const left = load === undefined ? 0 : load.ends - oracle.now;
                const staleWaits = state === "stale" && load !== undefined && (begins || under);
                let expected: unknown;
                let after = 0;
                if (state === "fresh") expected = before;
                else if (state === "absent") [expected, after] = [loaded, left];
                else if (!staleWaits || isPaused) expected = before;
                else if (left < TIMEOUT) {
                  // A value whose grace ends meanwhile is not served after a failure.
                  const isServed = oracle.cached.get(what.key)!.until > load!.ends;
                  const hasFailed = load!.outcome === "fails";
                  [expected, after] = [hasFailed && isServed ? before : loaded, left];
                } else if (oracle.cached.get(what.key)!.until > oracle.now + TIMEOUT)
                  [expected, after] = [before, TIMEOUT];
                // Its grace ends while the caller waits.
                else [expected, after] = [loaded, left];
                await pass(after);
                // The last steps of the answer.
                await vi.advanceTimersByTimeAsync(0);
                expect([label, answers]).toEqual([label, [expected]]);
                await answer;
                break;
              }
            }
          }
          await pass(10);
          await cache.close();
        },
      ),
      { numRuns: runs(400) },
    );
  });
});
