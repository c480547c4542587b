import { describe, expect, it } from "vitest";
import { Iteration } from "../../src/concurrency/batch-iterator.ts";

/** Batches that note when they end. */
function source(
  batches: readonly (readonly number[])[],
  failAt = Infinity,
): {
  batches: AsyncGenerator<readonly number[], void, undefined>;
  ended: () => boolean;
  read: () => number;
} {
  let isEnded = false;
  let read = 0;
  async function* generate(): AsyncGenerator<readonly number[], void, undefined> {
    try {
      for (const batch of batches) {
        if (read++ === failAt) throw new Error("broken");
        await Promise.resolve();
        yield batch;
      }
    } finally {
      isEnded = true;
    }
  }
  return { batches: generate(), ended: () => isEnded, read: () => read };
}

const even = (n: number): number | undefined => (n % 2 === 0 ? n : undefined);

describe("an iteration", () => {
  it("yields the items of all batches, empty ones and left-out items aside", async () => {
    const found: number[] = [];
    for await (const n of new Iteration(source([[], [1, 2, 4], [3], [], [6, 7]]).batches, even))
      found.push(n);
    expect(found).toEqual([2, 4, 6]);
  });

  it("reads a batch only when it is asked for", async () => {
    const { batches, read } = source([[0, 2], [4]]);
    const iteration = new Iteration(batches, even);
    expect(read()).toBe(0);
    await iteration.next();
    await iteration.next();
    expect(read()).toBe(1);
    expect(await iteration.next()).toEqual({ done: false, value: 4 });
    expect([await iteration.next(), await iteration.next()]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  it("ends the batches on an early break, once", async () => {
    const { batches, ended, read } = source([[0, 2], [4]]);
    const iteration = new Iteration(batches, even);
    for await (const n of iteration) if (n === 0) break;
    expect([ended(), read()]).toEqual([true, 1]);
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
    expect(await iteration.return()).toEqual({ done: true, value: undefined });
  });

  it("answers calls that are not waited for in their order", async () => {
    const iteration = new Iteration(source([[0, 2], [], [4, 6]]).batches, even);
    const answers = await Promise.all(Array.from({ length: 6 }, () => iteration.next()));
    expect(answers.map(({ value }) => value)).toEqual([0, 2, 4, 6, undefined, undefined]);
    const again = new Iteration(source([[0, 2], [4]]).batches, even);
    const [first, end, after] = await Promise.all([again.next(), again.return(), again.next()]);
    expect([first, end.done, after.done]).toEqual([{ done: false, value: 0 }, true, true]);
  });

  it("ends when a batch cannot be read", async () => {
    const { batches } = source([[0], [2], [4]], 1);
    const iteration = new Iteration(batches, even);
    await iteration.next();
    await expect(iteration.next()).rejects.toThrow("broken");
    expect(await iteration.next()).toEqual({ done: true, value: undefined });
  });

  it("ends when an item cannot be made, in the middle of a batch or at its beginning", async () => {
    for (const bad of [0, 2]) {
      const { batches, ended } = source([[0, 2, 4]]);
      const iteration = new Iteration(batches, (n) => {
        if (n === bad) throw new Error("bad item");
        return n;
      });
      if (bad === 2) await iteration.next();
      await expect(iteration.next()).rejects.toThrow("bad item");
      expect(ended()).toBe(true);
      expect(await iteration.next()).toEqual({ done: true, value: undefined });
    }
  });

  it("throws the given error, and is over", async () => {
    const { batches, ended } = source([[0, 2]]);
    const iteration = new Iteration(batches, even);
    await iteration.next();
    await expect(iteration.throw(new Error("mine"))).rejects.toThrow("mine");
    expect(ended()).toBe(true);
  });
});
