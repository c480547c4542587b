import { expect } from "vitest";
import type { MaybeEntry, VersionedStore } from "../../../src/versioned/index.ts";
import { until } from "../../support/daemon.ts";
import type { Case, VersionedSubject } from "../versioned-suite.ts";

type Reader = ReadableStreamDefaultReader<MaybeEntry[]>;

/** Far more than any test takes: what comes sooner was not found by looking for it. */
const NEVER = "1h";

const next = async (reader: Reader): Promise<unknown[] | "closed"> => {
  const { done, value } = await reader.read();
  return done ? "closed" : value.map(({ value }) => value);
};

/** Reads until a state with these values arrives; the number of chunks that it took. */
async function reached(reader: Reader, values: readonly unknown[]): Promise<number> {
  for (let chunks = 1; ; chunks++) {
    const found = await next(reader);
    if (JSON.stringify(found) === JSON.stringify(values)) return chunks;
    if (found === "closed" || chunks > 1000)
      throw new Error(`closed or endless before ${JSON.stringify(values)}`);
  }
}

/** Streams of what is under some keys. */
export function watching(test: Case, { another }: VersionedSubject): void {
  const watched = (store: VersionedStore, names: readonly string[], options = {}): Reader =>
    store
      .watch(
        names.map((name) => [name]),
        { interval: NEVER, ...options },
      )
      .getReader();

  test("watch() reports the current entries at once, and then each change", async (store) => {
    const a = await store.set(["a"], 1);
    const reader = watched(store, ["a", "b"]);
    const { ok: _, ...entry } = a;
    expect(await reader.read()).toStrictEqual({
      done: false,
      value: [entry, { key: ["b"], value: null, version: null }],
    });
    const changes: [() => Promise<unknown>, unknown[]][] = [
      [() => store.set(["b"], null), [1, null]],
      [() => store.set(["a"], 2), [2, null]],
      [() => store.delete(["a"]), [null, null]],
      [() => store.atomic().set(["a"], 3).sum(["b2"], 1n).set(["b"], 4).commit(), [3, 4]],
    ];
    for (const [change, state] of changes) {
      const pending = next(reader);
      await change();
      expect(await pending).toStrictEqual(state);
    }
    // Not what is beside, and not what a failed check has left as it was.
    const pending = next(reader);
    await store.set(["c"], 1);
    await store
      .atomic()
      .check({ key: ["a"], version: null })
      .set(["a"], 9)
      .commit();
    await store.set(["a"], 5);
    expect(await pending).toStrictEqual([5, 4]);
    await reader.cancel();
  });

  test("states without a waiting reader are left out, the last one never", async (store) => {
    const reader = watched(store, ["a"]);
    expect(await next(reader)).toStrictEqual([null]);
    for (let i = 1; i <= 50; i++) await store.set(["a"], i);
    expect(await reached(reader, [50])).toBeLessThan(50);
    const writes = Promise.all(
      Array.from({ length: 50 }, () => store.atomic().sum(["a2"], 1n).commit()),
    );
    const other = watched(store, ["a2"]);
    const last = (async () => {
      for (;;) if ((await next(other))[0] === 50n) return;
    })();
    await Promise.all([writes, last]);
    await Promise.all([reader.cancel(), other.cancel()]);
  });

  test("with raw it also reports writes without a change", async (store) => {
    const reader = watched(store, ["a"], { raw: true });
    expect(await next(reader)).toStrictEqual([null]);
    const pending = next(reader);
    await store.atomic().delete(["a"]).commit();
    expect(await pending).toStrictEqual([null]);
    await reader.cancel();
  });

  test("several watch, and one that goes away disturbs no other", async (store) => {
    const readers = Array.from({ length: 5 }, () => watched(store, ["a"]));
    await Promise.all(readers.map(next));
    const pending = readers.map(next);
    await readers[0]!.cancel();
    await store.set(["a"], 1);
    expect(await Promise.all(pending)).toStrictEqual(["closed", [1], [1], [1], [1]]);
    await Promise.all(readers.map((reader) => reader.cancel()));
  });

  test("changes from elsewhere and deadlines are noticed within the interval", async (store) => {
    const other = (await another?.()) ?? store;
    const reader = watched(store, ["a"], { interval: "20ms" });
    expect(await next(reader)).toStrictEqual([null]);
    await other.set(["a"], 1);
    expect(await reached(reader, [1])).toBe(1);
    await other.set(["a"], 2, { expireIn: 100 });
    await reached(reader, [null]);
    expect((await store.get(["a"])).version).toBe(null);
    await reader.cancel();
    if (other !== store) await other.close();
  });

  test("ends without keys, and refuses a wrong key or interval at once", async (store) => {
    expect(await next(store.watch([]).getReader())).toBe("closed");
    expect(() => store.watch([[]])).toThrow(
      expect.objectContaining({ code: "KV_INVALID_KEY" }) as Error,
    );
    for (const interval of [0, -1, NaN, Infinity, 1000, "soon"])
      expect(() => store.watch([["a"]], { interval: interval as number })).toThrow(
        expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
      );
  });

  test("iterates, and ends with the store", async (store) => {
    const seen: unknown[] = [];
    let isOver = false;
    const iteration = (async () => {
      for await (const [entry] of store.watch([["a"]], { interval: NEVER }))
        seen.push(entry!.value);
      isOver = true;
    })();
    await until("it has begun", () => seen.length === 1);
    await store.set(["a"], 1);
    await until("it has gone on", () => seen.length === 2);
    const reader = watched(store, ["b"]);
    expect(await next(reader)).toStrictEqual([null]);
    expect(isOver).toBe(false);
    await store.close();
    await iteration;
    expect(await next(reader)).toBe("closed");
    expect(seen).toStrictEqual([null, 1]);
  });
}
