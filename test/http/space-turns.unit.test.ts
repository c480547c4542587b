import { expect, it, vi } from "vitest";
import type { Refusal } from "../../src/http/reply.ts";
import { MOST_RUNNING, MOST_WAITING, SpaceTurns } from "../../src/http/space-turns.ts";

/** Works that end when they are told to, and the order in which they began. */
function works(): {
  begun: string[];
  work: (name: string) => () => Promise<string>;
  end: () => void;
} {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  return {
    begun,
    work: (name) => () =>
      new Promise((resolve) => {
        begun.push(name);
        ends.push(() => resolve(name));
      }),
    end: () => ends.splice(0).forEach((end) => end()),
  };
}

it("lets a space begin between the requests of a busy one", async () => {
  const turns = new SpaceTurns();
  const begun: string[] = [];
  const busy = Array.from({ length: 200 }, () =>
    turns.take("busy", 1, async () => void begun.push("busy")),
  );
  const other = [1, 2].map(() => turns.take("other", 1, async () => void begun.push("other")));
  await Promise.all([...busy, ...other]);
  expect(begun.length).toBe(202);
  expect(begun.indexOf("other")).toBeLessThan(4);
  expect(begun.lastIndexOf("other")).toBeLessThan(6);
});

it("lets connections be looked at between a few requests", async () => {
  const turns = new SpaceTurns();
  const begun: number[] = [];
  const all = Array.from({ length: 50 }, (_, i) =>
    turns.take("a", 1, async () => void begun.push(i)),
  );
  const seen: number[] = [];
  while (begun.length < 50) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    seen.push(begun.length);
  }
  await Promise.all(all);
  for (const [i, now] of seen.entries()) expect(now - (seen[i - 1] ?? 0)).toBeLessThan(5);
});

it("keeps the order of a space, and rejects with the error of its work", async () => {
  const turns = new SpaceTurns();
  const begun: number[] = [];
  const all = Array.from({ length: 100 }, (_, i) =>
    turns.take("a", 1, async () => {
      begun.push(i);
      if (i === 50) throw new Error("50");
      return i;
    }),
  );
  const results = await Promise.allSettled(all);
  expect(begun).toEqual(begun.map((_, i) => i));
  expect(results.map((result) => (result.status === "fulfilled" ? result.value : -1))).toEqual(
    begun.map((i) => (i === 50 ? -1 : i)),
  );
});

it("refuses work beyond the bounds of a space, and none of another", async () => {
  const turns = new SpaceTurns();
  const { begun, work, end } = works();
  const all = Array.from({ length: MOST_RUNNING }, () => turns.take("a", 1, work("a")));
  await expect.poll(() => begun.length).toBe(MOST_RUNNING);
  for (let i = 0; i < MOST_WAITING; i++) all.push(turns.take("a", 1, work("a")));
  expect(() => turns.take("a", 1, work("a"))).toThrow(
    expect.objectContaining({ code: "KV_RATE_LIMITED", status: 503 } satisfies Partial<Refusal>),
  );
  all.push(turns.take("b", 1, work("b")));
  await expect.poll(() => begun.at(-1)).toBe("b");
  expect(begun.length).toBe(MOST_RUNNING + 1);
  while (begun.length < all.length) {
    end();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  end();
  expect((await Promise.all(all)).length).toBe(MOST_RUNNING + MOST_WAITING + 1);
});

it("bounds the text that waits as well", async () => {
  const turns = new SpaceTurns();
  const { begun, work, end } = works();
  const all: Promise<string>[] = [];
  while (all.length < MOST_RUNNING) {
    all.push(turns.take("a", 1_000_000, work("a")));
    await expect.poll(() => begun.length).toBe(all.length);
  }
  for (let i = 0; i < 16; i++) all.push(turns.take("a", 1_000_000, work("a")));
  expect(() => turns.take("a", 1_000_000, work("a"))).toThrow(
    expect.objectContaining({ headers: { "retry-after": "1" } }),
  );
  while (begun.length < all.length) {
    end();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  end();
  await Promise.all(all);
});

it("refuses work that has waited longer than clients do, behind a store that hangs", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  try {
    const turns = new SpaceTurns();
    const { begun, work, end } = works();
    const running = Array.from({ length: MOST_RUNNING }, () => turns.take("a", 1, work("a")));
    await expect.poll(() => begun.length).toBe(MOST_RUNNING);
    const late = Array.from({ length: 100 }, () => turns.take("a", 1, work("late")));
    const refused = Promise.allSettled(late);
    vi.advanceTimersByTime(5001);
    const next = turns.take("a", 1, work("next"));
    end();
    await Promise.all(running);
    for (const result of await refused)
      expect(result).toMatchObject({ reason: { code: "KV_RATE_LIMITED", status: 503 } });
    await expect.poll(() => begun.length).toBe(MOST_RUNNING + 1);
    end();
    expect(await next).toBe("next");
  } finally {
    vi.useRealTimers();
  }
});
