import { describe, expect, it, vi } from "vitest";
import kv from "../../src/index.ts";
import { createSessions } from "../../src/session/index.ts";
import { mergeChanges } from "../../src/session/merge.ts";
import { plainClient } from "../support/plain-client.ts";
import { sessionCases } from "../suites/sessions.ts";

sessionCases("MEMORY", () => kv(new Map()));

describe("createSessions()", () => {
  it("rejects options and clients that cannot be used", () => {
    for (const [wrong, code] of [
      [{ ttl: 5 }, "KV_INVALID_VALUE"],
      [{ onConflict: "first" }, "KV_INVALID_VALUE"],
      [{ expires: "soon" }, "KV_INVALID_EXPIRES"],
      [{ tombstone: null }, "KV_INVALID_EXPIRES"],
      ["1h", "KV_INVALID_VALUE"],
    ] as const)
      expect(() => createSessions(kv(), wrong as never)).toThrow(
        expect.objectContaining({ code }) as Error,
      );
    expect(() => createSessions(new Map() as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }) as Error,
    );
    expect(() => createSessions(kv(plainClient()), { onConflict: "merge" })).toThrow(
      expect.objectContaining({ code: "KV_NOT_SUPPORTED" }) as Error,
    );
  });

  it("keep destroyed sessions destroyed without compare-and-set too", async () => {
    const sessions = createSessions(kv(plainClient()));
    await sessions.create("a", { n: 1 });
    const late = await sessions.read("a");
    expect(await sessions.write("a", late)).toBe(true);
    await sessions.destroy("a");
    expect(await sessions.write("a", late)).toBe(false);
    expect(await sessions.read("a")).toBe(null);
  });

  it("end at their deadline, and tombstones at theirs", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    try {
      const store = kv();
      const sessions = createSessions(store, { expires: "10m", tombstone: "1m" });
      await sessions.create("a", 5);
      expect(await sessions.read("a")).toBe(5);
      await sessions.destroy("a");
      vi.setSystemTime(1_060_000);
      expect(await store.has("a")).toBe(false);
      await sessions.create("b", {}, new Date(1_070_000));
      vi.setSystemTime(1_070_000);
      expect(await sessions.read("b")).toBe(null);
    } finally {
      vi.useRealTimers();
    }
  });

  it("rejects data that JSON cannot keep, and saves nothing", async () => {
    const store = kv();
    const sessions = createSessions(store);
    for (const wrong of [undefined, () => 1, Symbol("a")])
      await expect(sessions.write("a", wrong)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
    expect(await store.keys()).toEqual([]);
  });
});

describe("mergeChanges()", () => {
  it.each([
    [{ a: 1 }, { a: 2 }, { a: 3 }, { a: 2 }],
    [{ a: 1 }, { a: 1 }, { a: 3 }, { a: 3 }],
    [{ a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }],
    [{ a: 1 }, { a: 1, b: { x: 1 } }, { a: 1, b: { y: 1 } }, { a: 1, b: { x: 1, y: 1 } }],
    [{ a: [1] }, { a: [1, 2] }, { a: [1, 3] }, { a: [1, 2] }],
    [{ a: 1 }, { a: 1, b: 1 }, {}, { b: 1 }],
  ])("%j with mine %j and theirs %j is %j", (base, mine, theirs, merged) => {
    expect(mergeChanges(base, mine, theirs)).toEqual(merged);
  });

  it("keeps members with the names of prototypes", () => {
    const theirs = JSON.parse('{"__proto__":{"x":1},"constructor":2}') as never;
    const merged = mergeChanges({}, { mine: 1 }, theirs);
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"x":1},"constructor":2,"mine":1}');
  });
});
