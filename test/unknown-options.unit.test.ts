import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createHandler, serve } from "../src/http/index.ts";
import kv from "../src/index.ts";
import { createKV, namespace } from "../src/namespace/index.ts";
import { createKVStore } from "../src/reactive/index.ts";
import { bitset, DynamicStore, json, StaticStore } from "../src/schema/index.ts";
import { connect, versioned } from "../src/versioned/index.ts";

const map = new Map();
const store = kv(map);
const entries = versioned(store, { indexes: { team: { prefix: ["users"], of: () => "red" } } });
const words = namespace(store, "words");
const app = StaticStore(
  "app",
  {
    text: "string",
    number: "number",
    list: "list",
    hash: "hash",
    set: "set",
    sorted: "sorted",
    bits: bitset(8),
    json: z.object({}),
  },
  { store },
);
const token = "0123456789abcdef";
const reactive = createKVStore("unknown options", { store: kv(new Map()) });
const state = reactive("state", 1);

/** Each place that takes options: its name in messages, and a call with these options. */
const PLACES: readonly (readonly [where: string, call: (options: never) => unknown])[] = [
  ["versioned()", (options) => versioned(store, options)],
  [
    "the index team",
    (options: object) =>
      versioned(store, { indexes: { team: { prefix: ["a"], of: () => 1, ...options } } }),
  ],
  [
    "connect()",
    (options: object) => connect({ url: "http://kv.test", accessToken: token, ...options }),
  ],
  ["set()", (options) => entries.set(["users", "1"], 1, options)],
  ["set()", (options) => entries.set(["a"], 1, options)],
  ["set()", (options) => entries.atomic().set(["a"], 1, options)],
  [
    "check()",
    (options: object) => entries.atomic().check({ key: ["a"], version: null, ...options }),
  ],
  ["list()", (options) => entries.list({ prefix: [] }, options)],
  ["the selector of list()", (options: object) => entries.list({ prefix: [], ...options })],
  ["watch()", (options) => entries.watch([["a"]], options)],
  ["reindex()", (options) => entries.reindex(options)],

  ["namespace()", (options) => namespace(store, "words", options)],
  ["createKV()", (options) => createKV(options)],
  ["get()", (options) => words.get("a", options)],
  ["get()", (options) => words.get(["a"], options)],
  ["getWithMetadata()", (options) => words.getWithMetadata("a", options)],
  ["getWithMetadata()", (options) => words.getWithMetadata(["a"], options)],
  ["put()", (options) => words.put("a", "v", options)],
  ["list()", (options) => words.list(options)],

  ["a typed store", (options) => StaticStore("app", { text: "string" }, options)],
  ["a typed store", (options) => DynamicStore("app", "string", options)],
  ["json()", (options) => json(z.object({}), options)],
  ["a write", (options) => app.take("text").write("a", options)],
  ["a write", (options) => app.take("number").increment(1, options)],
  ["a write", (options) => app.take("list").push("a", options)],
  ["a write", (options) => app.take("list").pop(options)],
  ["a write", (options) => app.take("list").trim(0, 1, options)],
  ["a write", (options) => app.take("hash").set("a", "b", options)],
  ["a write", (options) => app.take("set").add("a", options)],
  ["a write", (options) => app.take("sorted").add("a", 1, options)],
  ["a write", (options) => app.take("bits").write(0, 1, options)],
  ["a write", (options) => app.take("json").write({}, options)],
  ["a write", (options) => app.take("json").update(() => ({}), options)],
  ["watch()", (options) => app.take("text").watch(options)],
  ["watch()", (options) => app.take("bits").watch(0, options)],
  ["rank()", (options) => app.take("sorted").rank("a", options)],
  ["range()", (options) => app.take("sorted").range(0, 1, options)],

  ["createKVStore()", (options) => createKVStore("unknown options", options)],
  ["subscribe()", (options) => reactive.subscribe(state, () => {}, options)],

  ["createHandler()", (options: object) => createHandler(store, { tokens: "none", ...options })],
  ["serve()", (options: object) => serve(store, { tokens: "none", ...options })],
  [
    "a token",
    (options: object) => createHandler(store, { tokens: [{ token, space: "a", ...options }] }),
  ],
  ["limits", (options) => createHandler(store, { tokens: "none", limits: options })],
  [
    "limits",
    (options) => createHandler(store, { tokens: [{ token, space: "a", limits: options }] }),
  ],
];

// At once or by a promise, as the method reports all its errors.
const refusal = async (work: () => unknown): Promise<{ code: string; message: string }> => {
  try {
    await work();
  } catch (error) {
    return error as never;
  }
  return expect.fail("it was accepted");
};

describe("an unknown option is rejected by", () => {
  it.each(PLACES.map(([where, call], i) => [`${i}: ${where}`, where, call] as const))(
    "%s",
    async (_title, where, call) => {
      expect(await refusal(() => call({ colour: "red" } as never))).toMatchObject({
        code: "KV_INVALID_VALUE",
        message: expect.stringContaining(`colour is not an option of ${where}: it takes `),
      });
      // Whatever it is set to.
      expect(await refusal(() => call({ colour: undefined } as never))).toMatchObject({
        code: "KV_INVALID_VALUE",
      });
    },
  );

  it("nothing is written then", async () => {
    expect([...map.keys()]).toEqual([]);
  });
});

it("an option of other libraries is answered with the name of ours", async () => {
  expect((await refusal(() => entries.set(["a"], 1, { ttl: 60 } as never))).message).toContain(
    "did you mean expires?",
  );
  expect((await refusal(() => app.take("text").write("a", { EX: 60 } as never))).message).toContain(
    "did you mean expires?",
  );
  expect((await refusal(() => words.put("a", "v", { ttl: 60 } as never))).message).toContain(
    "did you mean expirationTtl?",
  );
  expect(
    (await refusal(() => entries.list({ prefix: [] }, { count: 5 } as never))).message,
  ).toContain("did you mean limit?");
});

it("something else in place of the options is rejected", async () => {
  class Client {
    #secret = 1;
    get(): number {
      return this.#secret;
    }
  }
  for (const wrong of [new Client(), new Map(), "a", 5, null, [], () => 1]) {
    for (const make of [
      () => createKV(wrong as never),
      () => namespace(store, "a", wrong as never),
      () => StaticStore("a", {}, wrong as never),
    ])
      expect((await refusal(make)).code, String(wrong)).toBe("KV_INVALID_CLIENT");
    for (const make of [
      () => versioned(store, wrong as never),
      () => createHandler(store, wrong as never),
      () => connect(wrong as never),
    ])
      expect((await refusal(make)).code, String(wrong)).toBe("KV_INVALID_VALUE");
  }
  for (const indexes of [[], new Map(), null, 5])
    expect((await refusal(() => versioned(store, { indexes: indexes as never }))).code).toBe(
      "KV_INVALID_VALUE",
    );
  // A store would be ignored, and the data kept elsewhere.
  for (const make of [
    () => createKV(store as never),
    () => namespace(store, "a", store as never),
    () => StaticStore("a", {}, store as never),
  ])
    expect((await refusal(make)).code).toBe("KV_INVALID_CLIENT");
});

it("the rules of Workers KV ignore unknown options, as a binding does", async () => {
  const own = namespace(kv(new Map()), "a", { compat: "workers" });
  await own.put("a", "v", { ttl: 5 } as never);
  expect(await own.get("a", { colour: "red" } as never)).toBe("v");
  expect((await own.list({ colour: "red" } as never)).keys).toEqual([{ name: "a" }]);
});

it("the listing of an index rejects unknown options", async () => {
  const error = await refusal(() => entries.listBy("team", "red", { count: 5 } as never));
  expect(error).toMatchObject({ code: "KV_INVALID_VALUE" });
  expect(error.message).toContain("did you mean limit?");
});
