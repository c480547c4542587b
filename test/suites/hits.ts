import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { hit, increment } from "../../src/atomic/index.ts";
import type { Store } from "../../src/index.ts";
import { isFull } from "../support/runs.ts";

// Starting a process takes longer than what it counts.
const processes = isFull ? 8 : 2;
const script = join(import.meta.dirname, "../programs/hit-process.ts");

/** What each of some processes counted: `node hit-process.ts <client> <folder or URL> <times>`. */
async function hitsInProcesses(
  client: string,
  place: string,
  { processes, times }: { processes: number; times: number },
): Promise<{ count: number; resetAt: number; allowed: boolean }[]> {
  const outputs = await Promise.all(
    Array.from({ length: processes }, () =>
      promisify(execFile)(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        script,
        client,
        place,
        `${times}`,
      ]),
    ),
  );
  return outputs.flatMap(({ stdout }) => JSON.parse(stdout) as never[]);
}

/** The statements about `hit` and `increment`, on one kind of client. */
export function hitCases(
  name: string,
  { open, place }: { open: () => Store | Promise<Store>; place?: string },
): void {
  describe(`hit() on ${name}`, () => {
    it("counts in a window that is fixed when it starts", async () => {
      const store = (await open()).prefix("window:");
      const before = Date.now();
      const first = await hit(store, "a", "1m");
      expect(first).toEqual({ count: 1, resetAt: expect.any(Number) as number, allowed: true });
      expect(first.resetAt - before).toBeGreaterThanOrEqual(60_000);
      expect(first.resetAt - Date.now()).toBeLessThanOrEqual(60_000);
      expect(await hit(store, "a", "1h", 2)).toEqual({ ...first, count: 3 });
      expect(await hit(store, "a", "1h", -1)).toEqual({ ...first, count: 2 });
      expect(await hit(store, "a", "1h", 0)).toEqual({ ...first, count: 2 });
      expect(await hit(store, "a", "1h", -5)).toEqual({ ...first, count: 0 });
      expect(await store.entry("a")).toMatchObject({ value: 0, expires: first.resetAt });
    });

    it("lets exactly `max` of many callers at once pass", async () => {
      const store = (await open()).prefix("many:");
      const hits = await Promise.all(
        Array.from({ length: 30 }, () => hit(store, "a", "1m", 1, { max: 10 })),
      );
      expect(hits.filter(({ allowed }) => allowed).length).toBe(10);
      expect(hits.map(({ count }) => count).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 30 }, (_, i) => i + 1),
      );
      expect(new Set(hits.map(({ resetAt }) => resetAt)).size).toBe(1);
    });

    it("blocks from the hit that passes `max`, and only from that one", async () => {
      const store = (await open()).prefix("block:");
      const attempt = (): ReturnType<typeof hit> =>
        hit(store, "a", "1m", 1, { max: 2, block: "1h" });
      const [first, second, third, fourth] = [
        await attempt(),
        await attempt(),
        await attempt(),
        await attempt(),
      ];
      expect([first, second, third, fourth].map(({ allowed }) => allowed)).toEqual([
        true,
        true,
        false,
        false,
      ]);
      expect(second.resetAt).toBe(first.resetAt);
      expect(third.resetAt - first.resetAt).toBeGreaterThanOrEqual(59 * 60_000);
      expect(fourth.resetAt).toBe(third.resetAt);
    });

    it("starts a new window when the old one has ended, and none by giving back", async () => {
      const store = (await open()).prefix("end:");
      expect(await hit(store, "a", "1m", -1)).toMatchObject({ count: 0, allowed: true });
      expect(await hit(store, "a", "1m", 0)).toMatchObject({ count: 0 });
      expect(await store.has("a")).toBe(false);
      const first = await hit(store, "a", "40ms", 5);
      await expect.poll(() => Date.now()).toBeGreaterThanOrEqual(first.resetAt);
      const next = await hit(store, "a", "1m");
      expect(next.count).toBe(1);
      expect(next.resetAt).toBeGreaterThan(first.resetAt);
    });

    it("gives a number without a deadline one, and keeps its metadata", async () => {
      const store = (await open()).prefix("forever:");
      await store.set("a", 5, { metadata: { by: "ann", value: 7 } });
      const { count, resetAt } = await hit(store, "a", "1m");
      expect(count).toBe(6);
      expect(await store.entry("a")).toMatchObject({
        value: 6,
        expires: resetAt,
        metadata: { by: "ann", value: 7 },
      });
      for (let length = 155; length <= 175; length++) {
        const metadata = "m".repeat(length);
        await store.set("long", 5, { metadata });
        await hit(store, "long", "1m");
        expect(await store.entry("long")).toMatchObject({ value: 6, metadata });
      }
      await store.set("b", 5);
      await hit(store, "b", "1m", 0);
      expect((await store.entry("b"))!.expires).not.toBe(null);
    });

    it("rejects other values, and leaves them", async () => {
      const store = (await open()).prefix("other:");
      for (const value of ["5", [5], { n: { value: 5 } }, true, "x".repeat(300)]) {
        await store.set("a", value);
        const before = await store.entry("a");
        for (const call of [() => hit(store, "a", "1m"), () => increment(store, "a")])
          await expect(call()).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
        expect(await store.entry("a")).toEqual(before);
      }
    });

    it("increments as before: fractions, bounds, deadlines, metadata, exact sums", async () => {
      const store = (await open()).prefix("add:");
      expect(await increment(store, "a", 0.1)).toBe(0.1);
      expect(await increment(store, "a", 0.2)).toBe(0.1 + 0.2);
      expect(await store.get("a")).toBe(0.1 + 0.2);
      expect(await increment(store, "a", -1e-7, { max: 0.1 })).toBe(null);
      expect(await increment(store, "b", -1, { min: 0 })).toBe(null);
      expect(await store.has("b")).toBe(false);
      expect(await increment(store, "c", 1, { expires: "1h" })).toBe(1);
      const { expires, version } = (await store.entry("c"))!;
      expect(await increment(store, "c", 1, { expires: "2h" })).toBe(2);
      expect(await store.entry("c")).toMatchObject({ expires, value: 2 });
      expect((await store.entry("c"))!.version).not.toBe(version);
      await store.set("d", 2 ** 53 - 2, { metadata: ["m"] });
      expect(await increment(store, "d")).toBe(2 ** 53 - 1);
      await expect(increment(store, "d")).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
      expect(await store.entry("d")).toMatchObject({ value: 2 ** 53 - 1, metadata: ["m"] });
      const dated = store.expires("1d");
      await increment(dated, "e");
      expect((await store.entry("e"))!.expires).not.toBe(null);
    });

    for (const at of place === undefined ? [] : [place]) {
      it("lets exactly `max` pass among several processes", async () => {
        const store = await open();
        await store.del("processes");
        const hits = await hitsInProcesses(name, at, { processes, times: 80 / processes });
        expect(hits.filter(({ allowed }) => allowed).length).toBe(25);
        expect(hits.map(({ count }) => count).sort((a, b) => a - b)).toEqual(
          Array.from({ length: 80 }, (_, i) => i + 1),
        );
        expect(new Set(hits.map(({ resetAt }) => resetAt)).size).toBe(1);
      });
    }
  });
}
