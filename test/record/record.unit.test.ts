import { afterEach, expect, it, vi } from "vitest";
import { failedChecks, holds, isFresh } from "../../src/record/freshness.ts";
import { isolated, StoredRecord } from "../../src/record/record.ts";
import { decodeRecord, encodeRecord } from "../../src/record/text-format.ts";
import { formatVersion, nextStamp, timedStamp, versionOf } from "../../src/record/version.ts";

afterEach(() => void vi.restoreAllMocks());

it("stamps versions that grow, also when the clock stands still or jumps back", () => {
  const now = Date.now();
  const clock = vi.spyOn(Date, "now");
  let last = "";
  for (let i = 0; i < 10_000; i++) {
    clock.mockReturnValue(i % 3 === 0 ? now - 1_000_000 : now);
    const version = formatVersion(i % 2 === 0 ? timedStamp() : nextStamp());
    expect(version).toMatch(/^[0-9a-f]{20}$/);
    expect(version > last).toBe(true);
    last = version;
  }
});

it("orders versions of different processes by time", () => {
  const now = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(now + 60_000);
  const here = formatVersion(timedStamp()).slice(0, 14);
  clock.mockReturnValue(now + 60_001);
  // Another process knows of no stamp before: it starts from the clock alone.
  const there = ((now + 60_001) * 2048).toString(16).padStart(14, "0");
  expect(there > here).toBe(true);
});

it("writes the value last, so that the head can be read without it", () => {
  const record = new StoredRecord({ big: "x" }, 5, "0".repeat(20), { m: 1 });
  const text = encodeRecord(record);
  expect(text).toBe(
    '{"kv":1,"version":"00000000000000000000","expires":5,"metadata":{"m":1},"value":{"big":"x"}}',
  );
  expect(decodeRecord(text, "k")).toEqual(record);
  const head = decodeRecord(text.slice(0, 66), "k", false);
  expect(head).toEqual(new StoredRecord(null, 5, "0".repeat(20), null));
});

it("tells the texts of others from damaged ones of ours", () => {
  for (const other of [
    "",
    "x",
    "null",
    "{}",
    '{"kv":2,"version":"x"}',
    '{"value":1,"expires":null}',
    '"{\\"kv\\":1}"',
  ])
    expect(decodeRecord(other, "k")).toBe(null);
  const text = encodeRecord(new StoredRecord([1, 2], null, "a".repeat(20), null));
  for (let cut = text.indexOf("["); cut < text.length; cut++) {
    expect(() => decodeRecord(text.slice(0, cut), "k"), text.slice(0, cut)).toThrow(
      'the record under "k" is damaged',
    );
  }
});

it("formats a compact stamp only when asked, and always the same", () => {
  const record = new StoredRecord(1, null, nextStamp(), null);
  expect(versionOf(record)).toBe(versionOf(record));
  expect(versionOf(new StoredRecord(1, null, null, null))).toBe(null);
});

it("holds a check to the version of a fresh record, and to null for none", () => {
  const version = formatVersion(1);
  const record = new StoredRecord(1, 1000, version, null);
  const checks = [version, null, formatVersion(2)].map((each) => ({ key: "k", version: each }));
  const held = (stored: StoredRecord | null, now: number): boolean[] =>
    checks.map((check) => holds(check, stored, now));
  expect(held(record, 999)).toEqual([true, false, false]);
  expect(held(record, 1000)).toEqual([false, true, false]);
  expect(held(null, 0)).toEqual([false, true, false]);
  expect(held(new StoredRecord(1, null, 2, null), 0)).toEqual([false, false, true]);
  expect(isFresh(record, 999) && !isFresh(record, 1000) && !isFresh(null, 0)).toBe(true);
});

it("names the keys of the checks that do not hold, each by its own record", () => {
  const stored = [null, new StoredRecord(1, null, 7, null), null];
  const checks = ["a", "b", "a"].map((key) => ({ key, version: null }));
  expect(failedChecks(checks, (_, place) => stored[place]!, 0)).toEqual(["b"]);
  expect(failedChecks(checks, (key) => (key === "a" ? stored[1]! : null), 0)).toEqual(["a", "a"]);
});

it("copies what a caller could change, and nothing else", () => {
  const version = "0".repeat(20);
  const plain = new StoredRecord("text", 5, version, null);
  expect(isolated(plain)).toBe(plain);
  for (const [value, metadata] of [
    ["text", { m: 1 }],
    [{ n: 1 }, null],
    [null, null],
    [[1], { m: 1 }],
    [new Uint8Array([1, 2]), null],
  ] as const) {
    const record = new StoredRecord(value as never, 5, version, metadata);
    const copy = isolated(record);
    expect(copy).toEqual(record);
    expect(copy).not.toBe(record);
    for (const name of ["value", "metadata"] as const)
      if (Object(record[name]) === record[name]) expect(copy[name]).not.toBe(record[name]);
  }
  const bytes = isolated(new StoredRecord(new Uint8Array([1]) as never, null, version, null));
  expect(bytes.value).toBeInstanceOf(Uint8Array);
});
