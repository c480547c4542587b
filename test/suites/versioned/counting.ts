import { expect } from "vitest";
import type { Case, VersionedSubject } from "../versioned-suite.ts";
import { until } from "../../support/daemon.ts";
import { inTime } from "../../support/eventually.ts";

const MOST = 2n ** 64n - 1n;

/** Counters: sum, min and max of bigints. */
export function counting(test: Case, { another, checks = 100 }: VersionedSubject): void {
  test("an absent counter begins with the summand", async (store) => {
    await store
      .atomic()
      .sum(["sum"], 5n)
      .min(["min"], 6n)
      .max(["max"], 7n)
      .sum(["zero"], 0n)
      .commit();
    expect(
      (await store.getMany([["sum"], ["min"], ["max"], ["zero"]])).map(({ value }) => value),
    ).toStrictEqual([5n, 6n, 7n, 0n]);
  });

  test("sums go on from 0 behind 2⁶⁴ − 1, min and max keep one of the two", async (store) => {
    await store.set(["n"], MOST);
    await store.atomic().sum(["n"], 1n).commit();
    expect((await store.get(["n"])).value).toBe(0n);
    await store.atomic().sum(["n"], MOST).sum(["n"], MOST).commit();
    expect((await store.get(["n"])).value).toBe(MOST - 1n);
    for (const [min, max, left] of [
      [5n, 0n, 5n],
      [9n, 3n, 5n],
      [9n, 8n, 8n],
      [1n, 0n, 1n],
    ] as const) {
      await store.atomic().min(["n"], min).max(["n"], max).commit();
      expect((await store.get(["n"])).value).toBe(left);
    }
  });

  test("refuses an operand that is no counter at once, a stored one by commit()", async (store) => {
    for (const name of ["sum", "min", "max"] as const) {
      for (const wrong of [1, "1", null, undefined, -1n, MOST + 1n])
        expect(() => store.atomic()[name](["n"], wrong as bigint)).toThrow(
          expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
        );
      for (const stored of [1, "1", null, [1n.toString()], -1n, MOST + 1n]) {
        const { version } = await store.set(["n"], stored);
        await expect(store.atomic().set(["a"], 1)[name](["n"], 1n).commit()).rejects.toMatchObject({
          code: "KV_INVALID_VALUE",
        });
        expect(await store.getMany([["n"], ["a"]])).toMatchObject([{ version }, { version: null }]);
      }
    }
  });

  test("a counter that is changed has no deadline any more", async (store) => {
    await inTime(80, async (expireIn) => {
      await store.set(["kept"], 1n, { expireIn });
      await store.set(["gone"], 1n, { expireIn });
      await store.atomic().sum(["kept"], 1n).commit();
    });
    await until("the other is gone", async () => (await store.get(["gone"])).version === null);
    expect((await store.get(["kept"])).value).toBe(2n);
    await store.atomic().sum(["gone"], 1n).commit();
    expect((await store.get(["gone"])).value).toBe(1n);
  });

  test("many who count at once lose nothing, here and elsewhere", async (store) => {
    const other = (await another?.()) ?? store;
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (i % 2 === 0 ? store : other)
          .atomic()
          .sum(["n"], 1n)
          .max(["max"], BigInt(i))
          .min(["min"], BigInt(100 - i))
          .commit(),
      ),
    );
    expect(
      (await store.getMany([["n"], ["max"], ["min"]])).map(({ value }) => value),
    ).toStrictEqual([40n, 39n, 61n]);
    if (other !== store) await other.close();
  });

  test(`${checks} counters in one transaction`, async (store) => {
    const transaction = store.atomic();
    for (let i = 0; i < checks; i++) transaction.sum(["c", i], BigInt(i));
    await transaction.commit();
    await transaction.commit();
    const values: unknown[] = [];
    for await (const { value } of store.list({ prefix: ["c"] })) values.push(value);
    expect(values).toStrictEqual(Array.from({ length: checks }, (_, i) => BigInt(2 * i)));
  });
}
