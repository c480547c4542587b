import { inspect } from "node:util";
import { expect, it } from "vitest";
import { StoredRecord } from "../../src/record/record.ts";
import { decodeRecord, encodeRecord, recordIn } from "../../src/record/text-format.ts";

const version = "0".repeat(14) + "abcdef";
const record = new StoredRecord({ n: [1] }, 1_700_000_000_000, version, { m: 1 });
const text = encodeRecord(record);
const thrownBy = (item: unknown): unknown => {
  try {
    return recordIn(item, "k");
  } catch (error) {
    return error;
  }
};

it("reads records, and nothing where nothing is stored", () => {
  expect(recordIn(text, "k")).toEqual(record);
  expect(recordIn(null, "k")).toBe(null);
  expect(recordIn(undefined, "k")).toBe(null);
});

it("rejects every item that is no text of a record, with its key", () => {
  const items = ["", "x", 5, true, {}, [], [text], new Uint8Array([1]), { toString: () => text }];
  for (const item of items)
    expect(thrownBy(item), JSON.stringify(item)).toMatchObject({
      code: "KV_FOREIGN",
      key: "k",
      message: expect.stringContaining('the item under "k" was not written by this library'),
    });
});

it("writes no metadata where there is none, and pads the deadline to a width", () => {
  const plain = new StoredRecord("v", null, version, null);
  const head = `{"kv":1,"version":"${version}","expires":null`;
  expect(encodeRecord(plain)).toBe(`${head},"value":"v"}`);
  expect(encodeRecord(plain, 8)).toBe(`${head}    ,"value":"v"}`);
  expect(recordIn(encodeRecord(plain, 8), "k")).toEqual(plain);
});

it("reads the deadline of a head as a number or null, and neither value nor metadata", () => {
  for (const expires of [null, 0, -5, 1_700_000_000_000]) {
    const stored = encodeRecord(new StoredRecord("v", expires, version, { m: 1 }));
    expect(recordIn(stored, "k", false)).toEqual(new StoredRecord(null, expires, version, null));
    expect(decodeRecord(stored, "k", true)?.expires).toBe(expires);
  }
});

it("rejects a record without a value, and shows no content", () => {
  const damaged = `{"kv":1,"version":"${version}","expires":null,"metadata":{"secret":"hunter2"}}`;
  for (const item of [damaged, `${text} hunter2`, text.replace("[1]", "hunter2")]) {
    const error = thrownBy(item);
    expect(error).toMatchObject({ code: "KV_CORRUPT", key: "k" });
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain("hunter2");
  }
});
