import { expect } from "vitest";
import type { VersionedStore } from "../../../src/versioned/index.ts";
import type { Case, VersionedSubject } from "../versioned-suite.ts";

const ABSENT = { ok: false };

async function valuesOf(store: VersionedStore, ...names: string[]): Promise<unknown[]> {
  return (await store.getMany(names.map((name) => [name]))).map(({ value, version }) =>
    version === null ? "absent" : value,
  );
}

/** Checks, the order of changes, all or nothing. */
export function transactions(test: Case, { checks: mostChecks = 100 }: VersionedSubject): void {
  test("all changes are made when all checks hold, and have one version", async (store) => {
    const a = await store.set(["a"], 1);
    const result = await store
      .atomic()
      .check(a, { key: ["b"], version: null })
      .set(["a"], 2)
      .set(["b"], { n: 3 })
      .delete(["nothing"])
      .commit();
    expect(result).toStrictEqual({ ok: true, version: (await store.get(["b"])).version });
    expect((await store.get(["a"])).version).toBe((result as { version: string }).version);
    expect(await valuesOf(store, "a", "b")).toStrictEqual([2, { n: 3 }]);
  });

  test("nothing is changed when a check fails, and that is no exception", async (store) => {
    const a = await store.set(["a"], 1);
    await store.set(["a"], 2);
    const changed = (transaction: ReturnType<VersionedStore["atomic"]>): Promise<unknown> =>
      transaction.set(["a"], "new").set(["b"], "new").sum(["n"], 1n).commit();
    for (const wrong of [
      a,
      { key: ["a"], version: null },
      { key: ["b"], version: a.version },
      { key: ["a"], version: "f".repeat(20) },
      { key: ["a"], version: "0".repeat(20) },
    ]) {
      expect(await changed(store.atomic().check(wrong))).toStrictEqual(ABSENT);
      expect(
        await changed(
          store
            .atomic()
            .check({ key: ["b"], version: null })
            .check(wrong),
        ),
      ).toStrictEqual(ABSENT);
      expect(await store.atomic().check(wrong).commit()).toStrictEqual(ABSENT);
    }
    expect(await valuesOf(store, "a", "b", "n")).toStrictEqual([2, "absent", "absent"]);
  });

  test("a check takes an entry, a missing entry, upper case and no version", async (store) => {
    const missing = await store.get(["a"]);
    expect((await store.atomic().check(missing).set(["a"], 1).commit()).ok).toBe(true);
    const entry = await store.get(["a"]);
    expect(
      (
        await store
          .atomic()
          .check({ key: ["a"], version: entry.version!.toUpperCase() }, entry)
          .set(["a"], 2)
          .commit()
      ).ok,
    ).toBe(true);
    expect(
      (
        await store
          .atomic()
          .check({ key: ["b"] } as never)
          .set(["b"], 2)
          .commit()
      ).ok,
    ).toBe(true);
    expect(
      await store
        .atomic()
        .check({ key: ["b"] } as never)
        .commit(),
    ).toStrictEqual(ABSENT);
    expect(
      (
        await store
          .atomic()
          .check({ key: ["gone"], version: null })
          .delete(["gone"])
          .commit()
      ).ok,
    ).toBe(true);
    for (const version of ["", "1", "g".repeat(20), "0".repeat(21), 1, {}, ["0".repeat(20)]]) {
      expect(() => store.atomic().check({ key: ["a"], version: version as string })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
      );
    }
  });

  test("checks see the state before the transaction", async (store) => {
    expect(
      (
        await store
          .atomic()
          .set(["a"], 1)
          .check({ key: ["a"], version: null })
          .commit()
      ).ok,
    ).toBe(true);
    expect(
      (
        await store
          .atomic()
          .delete(["a"])
          .check({ key: ["a"], version: null })
          .commit()
      ).ok,
    ).toBe(false);
  });

  test("changes are made in their order", async (store) => {
    await store.set(["c"], 1);
    await store.set(["e"], 7n);
    const transaction = store.atomic();
    transaction.set(["a"], 1).set(["a"], 2);
    transaction.set(["b"], 1).delete(["b"]);
    transaction.delete(["c"]).set(["c"], 2);
    transaction.set(["d"], 1).delete(["d"]).sum(["d"], 3n).sum(["d"], 4n);
    transaction.delete(["e"]).sum(["e"], 5n);
    transaction.sum(["f"], 5n).max(["f"], 9n).min(["f"], 8n);
    transaction.set(["g"], 10n).sum(["g"], 1n).set(["h"], 1n).sum(["h"], 1n).set(["h"], "text");
    expect((await transaction.commit()).ok).toBe(true);
    expect(await valuesOf(store, ..."abcdefgh")).toStrictEqual([
      2,
      "absent",
      2,
      7n,
      5n,
      8n,
      11n,
      "text",
    ]);
  });

  test("an empty transaction succeeds, and may be committed again", async (store) => {
    expect(await store.atomic().commit()).toStrictEqual({
      ok: true,
      version: expect.stringMatching(/^[0-9a-f]{20}$/) as string,
    });
    const transaction = store
      .atomic()
      .check({ key: ["once"], version: null })
      .sum(["n"], 2n)
      .set(["a"], { n: 1 });
    const first = await transaction.commit();
    const second = await transaction.commit();
    expect([first.ok, second.ok]).toStrictEqual([true, true]);
    expect(await valuesOf(store, "n", "a")).toStrictEqual([4n, { n: 1 }]);
    await store.set(["once"], 1);
    expect(await transaction.commit()).toStrictEqual(ABSENT);
    // What is added while it is under way is for the next time.
    const growing = store.atomic().sum(["sum"], 1n);
    const begun = growing.commit();
    growing.sum(["sum"], 10n);
    await begun;
    expect(await valuesOf(store, "sum")).toStrictEqual([1n]);
    // A transaction is no promise: whoever forgets commit() gets it back.
    expect(await transaction).toBe(transaction);
  });

  test("one that fails half-way changes nothing", async (store) => {
    await store.set(["text"], "text");
    const calls = [
      () => store.atomic().set(["a"], 1).sum(["text"], 1n).set(["b"], 2).commit(),
      () => store.atomic().set(["a"], 1).set(["b"], 1).sum(["b"], 1n).commit(),
      () => store.atomic().set(["a"], 1).max(["text"], 1n).commit(),
      () => store.atomic().delete(["text"]).set(["text"], 1).min(["text"], 1n).commit(),
    ];
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({ name: "KvError", code: "KV_INVALID_VALUE" });
    expect(await valuesOf(store, "a", "b", "text")).toStrictEqual(["absent", "absent", "text"]);
    // Whether the checks hold is said first.
    expect(
      await store
        .atomic()
        .check({ key: ["text"], version: null })
        .sum(["text"], 1n)
        .commit(),
    ).toStrictEqual(ABSENT);
  });

  test(`${mostChecks} checks and 1,000 changes are accepted, one more is not`, async (store) => {
    const [full, checks, changes] = [store.atomic(), store.atomic(), store.atomic()];
    for (let i = 0; i < 1000; i++) {
      full.set(["w", i], i);
      changes.set(["x", i], i);
    }
    for (let i = 0; i < mostChecks; i++) full.check({ key: ["absent", i], version: null });
    for (let i = 0; i < 101; i++) checks.check({ key: ["absent", i], version: null });
    expect((await full.commit()).ok).toBe(true);
    await expect(checks.commit()).rejects.toMatchObject({ code: "KV_TOO_LARGE" });
    await expect(changes.delete(["x", 1000]).commit()).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
    });
    let count = 0;
    for await (const _ of store.list({ prefix: [] }, { batchSize: 1000 })) count++;
    expect(count).toBe(1000);
  });

  test("of many who check the same version one succeeds", async (store) => {
    for (const prepare of [() => store.get(["a"]), () => store.set(["a"], "old")]) {
      const before = await prepare();
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.atomic().check(before).set(["a"], i).set(["b"], i).commit(),
        ),
      );
      const winner = results.findIndex(({ ok }) => ok);
      expect(results.filter(({ ok }) => ok).length).toBe(1);
      expect(await valuesOf(store, "a", "b")).toStrictEqual([winner, winner]);
    }
  });
}
