import { expect, it } from "vitest";
import { memory } from "../../src/clients/memory.ts";
import { sqlite } from "../../src/clients/sqlite/index.ts";
import { storage } from "../../src/clients/storage/index.ts";
import { checkOptions } from "../../src/platform/options.ts";

const SET = ["expires", "metadata", "prefix"];
const LIST = ["prefix", "limit", "cursor", "reverse"];

it("accepts undefined, no members, and known members, which may be undefined", () => {
  for (const options of [undefined, {}, { expires: "1h" }, { expires: undefined, prefix: "a:" }]) {
    expect(() => checkOptions(options, SET, "set()")).not.toThrow();
  }
  const bare = Object.assign(Object.create(null) as object, { expires: 5 });
  expect(() => checkOptions(bare, SET, "set()")).not.toThrow();
});

it("rejects anything but an object, with the code for that place", () => {
  const others = [
    null,
    60,
    "1h",
    true,
    5n,
    Symbol("s"),
    () => {},
    ["EX", 60],
    new Date(),
    new Map(),
  ];
  for (const options of others) {
    const work = (): void => checkOptions(options, SET, "set()", "KV_INVALID_EXPIRES");
    expect(work).toThrow("the options of set() are an object: { expires, metadata, prefix }");
    expect(work).toThrow(expect.objectContaining({ code: "KV_INVALID_EXPIRES" }));
  }
  const work = (): void => checkOptions("user:", LIST, "list()");
  expect(work).toThrow(expect.objectContaining({ code: "KV_INVALID_VALUE" }));
});

it("rejects an unknown member, also one that is undefined, and names the known ones", () => {
  const text = "color is not an option of set(): it takes expires, metadata, prefix";
  for (const color of ["red", undefined]) {
    const work = (): void => checkOptions({ color }, SET, "set()", "KV_INVALID_EXPIRES");
    expect(work).toThrow(text);
    expect(work).toThrow(expect.objectContaining({ code: "KV_INVALID_VALUE" }));
  }
});

it("suggests the option that other libraries call by another name", () => {
  const expiry = ["ttl", "EX", "px", "PXAT", "expire", "expiresIn", "expiry", "exp", "maxAge"];
  for (const name of expiry) {
    const text = `${name} is not an option of set(): did you mean expires?`;
    expect(() => checkOptions({ [name]: 60 }, SET, "set()")).toThrow(text);
  }
  const others = {
    namespace: "prefix",
    base: "prefix",
    prefx: "prefix",
    count: "limit",
    max: "limit",
  };
  for (const [name, option] of Object.entries(others)) {
    const text = `${name} is not an option of list(): did you mean ${option}?`;
    expect(() => checkOptions({ [name]: 1 }, LIST, "list()")).toThrow(text);
  }
});

it("suggests only options of this place", () => {
  const text = "ttl is not an option of list(): it takes prefix, limit, cursor, reverse";
  expect(() => checkOptions({ ttl: 60 }, LIST, "list()")).toThrow(text);
});

it("never shows the value of an option", () => {
  expect(() => checkOptions({ token: "s3cret" }, SET, "set()")).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining("s3cret") as string }),
  );
});

it("ignores members of Object.prototype", () => {
  const prototype = Object.prototype as { polluted?: boolean };
  prototype.polluted = true;
  try {
    expect(() => checkOptions({ expires: 5 }, SET, "set()")).not.toThrow();
  } finally {
    delete prototype.polluted;
  }
});

it("rejects unknown options of a client's factory", () => {
  const db = { prepare: () => {}, exec: () => {}, close: () => {} };
  expect(() => sqlite(db as never, { tabel: "a" } as never)).toThrow(
    "tabel is not an option of the client SQLITE: it takes table",
  );
  expect(() => memory(new Map(), { table: "a" } as never)).toThrow(
    "table is not an option of the client MEMORY",
  );
  expect(sqlite(db as never, { table: undefined as never }).type).toBe("SQLITE");
  expect(() =>
    storage(
      { getItem: () => null, setItem: () => {}, removeItem: () => {}, key: () => null, length: 0 },
      { x: 1 } as never,
    ),
  ).toThrow("x is not an option");
});
