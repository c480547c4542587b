import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import kv, { type Client, type Requires } from "../../src/index.ts";
import { place } from "../support/disk.ts";

const file = (): URL => pathToFileURL(join(place(), "data.json"));

it("accepts a client that meets the requirements", async () => {
  const met: Requires[] = [
    {},
    { persistent: true, atomic: "yes" },
    { persistent: false, order: true, bytes: false, iterate: true },
    { atomic: "process", expires: "layered", keyBytes: 512, valueBytes: Infinity },
    { atomic: undefined, persistent: undefined },
  ];
  for (const requires of met) {
    const client = file();
    expect(kv(client, { requires }).type).toBe("FILE");
    const store = kv(Promise.resolve(client), { requires, prefix: "p:" });
    expect(await store.set("a", 1)).toBe("a");
  }
});

it("rejects a client that lacks something, at once and with all of it", () => {
  const lacking: [client: Client | undefined, requires: Requires, found: string][] = [
    [undefined, { persistent: true, atomic: "yes" }, 'persistent is false, atomic is "process"'],
    [new Map(), { persistent: true, atomic: "process" }, "persistent is false"],
    [file(), { expires: "native" }, 'expires is "layered"'],
    ["cookie", { valueBytes: 4097 }, "valueBytes is 4096"],
    [{ get() {}, set() {} }, { iterate: true }, "iterate is false"],
  ];
  for (const [client, requires, found] of lacking) {
    const { type } = kv(client);
    const error = {
      code: "KV_NOT_SUPPORTED",
      client: type,
      message: `${type} does not have what is required: ${found} (see store.supports)`,
    };
    expect(() => kv(client, { requires })).toThrow(expect.objectContaining(error));
    expect(() => kv(kv(client), { requires })).toThrow(expect.objectContaining(error));
  }
});

it("rejects every operation where the client is a promise", async () => {
  const pending = new Promise((resolve) => setImmediate(resolve, new Map()));
  const requires = { persistent: true };
  const base = kv(pending as never);
  for (const store of [
    kv(pending as never, { requires }),
    kv(base, { requires }).prefix("p:"),
    kv(base.prefix("a"), { requires }),
  ]) {
    const calls = [
      () => store.get("a"),
      () => store.set("a", 1),
      () => store.keys(),
      () => store.iterate().next(),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: "KV_NOT_SUPPORTED", client: "MEMORY" });
    }
  }
  // The store that requires nothing goes on.
  expect(await base.set("a", 1)).toBe("a");
});

it("keeps the prefix, the expiry, the codec and the order of a pending store", async () => {
  const map = new Map();
  const codec = { name: "text", encode: String, decode: Number };
  const base = kv(Promise.resolve(map), { prefix: "a:", expires: "1h", codec });
  const store = kv(base, { requires: { atomic: "process" }, prefix: "b:" });
  const done = Promise.all([store.set("k", 1), store.set("k", 2), store.get("k")]);
  expect(await done).toEqual(["k", "k", 2]);
  expect([...map.keys()]).toEqual(["a:b:k"]);
  expect((await store.entry("k"))!.expires).toBeGreaterThan(Date.now());
  expect(await base.get("b:k")).toBe(2);
});

it("rejects requirements that mean nothing", () => {
  const wrong: [requires: unknown, text: string][] = [
    ["persistent", "the options of requires are an object"],
    [{ durable: true }, "durable is not an option of requires: it takes expires, order, atomic"],
    [{ atomic: "Yes" }, 'requires.atomic cannot be "Yes"'],
    [{ atomic: true }, "requires.atomic cannot be true"],
    [{ persistent: "yes" }, 'requires.persistent cannot be "yes"'],
    [{ keyBytes: NaN }, "requires.keyBytes cannot be NaN"],
  ];
  for (const [requires, text] of wrong) {
    expect(() => kv(new Map(), { requires: requires as never })).toThrow(text);
    expect(() => kv(new Map(), { requires: requires as never })).toThrow(
      expect.objectContaining({ code: "KV_INVALID_VALUE" }),
    );
  }
});
