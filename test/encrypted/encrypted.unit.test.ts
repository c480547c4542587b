import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { hit, increment } from "../../src/atomic/index.ts";
import { createCache } from "../../src/cache/index.ts";
import { rich } from "../../src/codec.ts";
import { compressed } from "../../src/compressed/index.ts";
import { encrypted, type EncryptionKey } from "../../src/encrypted/index.ts";
import type { KvError } from "../../src/errors.ts";
import kv, { type Store } from "../../src/index.ts";
import { namespace } from "../../src/namespace/index.ts";
import { StoredRecord } from "../../src/record/record.ts";

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const base64 = (key: Uint8Array): string => Buffer.from(key).toString("base64");
const A: EncryptionKey = { id: "a", key: bytes(1) };
const B: EncryptionKey = { id: "b", key: bytes(2) };
const keys = [A];

const errorOf = (work: Promise<unknown>): Promise<KvError> =>
  work.then(
    () => expect.fail("it was not rejected"),
    (error: KvError) => error,
  );

/** Everything that a Map keeps, as one text: bytes one character each. */
const dump = (map: Map<string, unknown>): string =>
  JSON.stringify([...map], (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );

/** The bytes that are kept under a key. */
const sealedAt = (map: Map<string, unknown>, key: string): Uint8Array =>
  (map.get(key) as { value: Uint8Array }).value;

function putSealed(map: Map<string, unknown>, key: string, value: unknown): void {
  map.set(key, new StoredRecord(value as never, null, 1, null));
}

describe("encrypted()", () => {
  it("keeps neither values nor metadata in the open", async () => {
    const map = new Map<string, unknown>();
    const store = kv(encrypted(map, { keys }));
    await store.set("card", { number: "4111" }, { metadata: { owner: "ann" } });
    expect(dump(map)).not.toMatch(/4111|number|owner|ann/);
    const { value, metadata } = (await store.entry("card"))!;
    expect({ value, metadata }).toEqual({ value: { number: "4111" }, metadata: { owner: "ann" } });
  });

  it("keeps texts where the client keeps no bytes, and no value twice alike", async () => {
    const inner = new Map<string, unknown>();
    const client = {
      get: (key: string) => inner.get(key),
      set: (key: string, value: unknown) => void inner.set(key, value),
    };
    const store = kv(encrypted(client, { keys }));
    await store.set("a", "secret");
    const first = JSON.stringify(inner.get("a"));
    await store.set("a", "secret");
    expect(first).toMatch(/"\$encrypted":"[\w-]+"/);
    expect(JSON.stringify(inner.get("a"))).not.toBe(first);
    expect(await store.get("a")).toBe("secret");
  });

  it("writes with the first key and reads with all of them", async () => {
    const map = new Map();
    await kv(encrypted(map, { keys: [A] })).set("old", 1);
    const both = kv(encrypted(map, { keys: [B, A] }));
    expect(await both.get("old")).toBe(1);
    await both.set("new", 2);
    expect(await kv(encrypted(map, { keys: [B] })).get("new")).toBe(2);
    const error = await errorOf(kv(encrypted(map, { keys: [A] })).get("new"));
    expect(error).toMatchObject({ code: "KV_CORRUPT", key: "new" });
    expect(error.message).toContain('was encrypted with the key "b"');
  });

  it("names the id of a wrong key, and nothing of any key", async () => {
    const map = new Map();
    const key = crypto.getRandomValues(new Uint8Array(32));
    await kv(encrypted(map, { keys: [{ id: "a", key }] })).set("k", "value");
    const error = await errorOf(kv(encrypted(map, { keys: [A] })).get("k"));
    expect(error).toMatchObject({ code: "KV_CORRUPT", key: "k", client: "MEMORY" });
    expect(error.message).toContain('cannot be decrypted with the key "a"');
    const shown = error.message + String(error.stack) + JSON.stringify(error.cause ?? "");
    for (const form of ["base64", "base64url", "hex", "latin1"] as const)
      expect(shown).not.toContain(Buffer.from(key).toString(form));
  });

  it("takes keys as bytes, base64 and CryptoKeys", async () => {
    const map = new Map();
    await kv(encrypted(map, { keys })).set("k", 1);
    const imported = await crypto.subtle.importKey("raw", bytes(1), "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]);
    const url = base64(bytes(1)).replace(/=+$/, "");
    for (const key of [base64(bytes(1)), url, imported, bytes(1)])
      expect(await kv(encrypted(map, { keys: [{ id: "a", key }] })).get("k")).toBe(1);
    const short = kv(encrypted(new Map(), { keys: [{ id: "s", key: new Uint8Array(16) }] }));
    await short.set("k", 2);
    expect(await short.get("k")).toBe(2);
  });

  it("rejects a value that was moved to another key, or to another prefix", async () => {
    const map = new Map<string, unknown>();
    const store = kv(encrypted(map, { keys }));
    await store.set("a:role", "user");
    await store.set("b:role", "admin");
    map.set("a:role", map.get("b:role"));
    expect(await errorOf(store.get("a:role"))).toMatchObject({ code: "KV_CORRUPT" });
    const tenant = encrypted(kv(map, { prefix: "a:" }), { keys });
    expect(await errorOf(tenant.get("role"))).toMatchObject({ code: "KV_CORRUPT" });
    expect(await store.get("b:role")).toBe("admin");
  });

  it("rejects every changed byte, and every shorter text", async () => {
    const map = new Map<string, unknown>();
    const store = kv(encrypted(map, { keys }));
    await store.set("k", { a: 1 }, { metadata: "m" });
    const good = sealedAt(map, "k").slice();
    for (let i = 0; i < good.length; i++) {
      const bad = good.slice();
      bad[i]! ^= 1;
      putSealed(map, "k", bad);
      expect((await errorOf(store.get("k"))).code, `byte ${i}`).toBe("KV_CORRUPT");
      putSealed(map, "k", good.slice(0, i));
      expect((await errorOf(store.get("k"))).code, `${i} bytes`).toBe("KV_CORRUPT");
    }
    putSealed(map, "k", good);
    expect(await store.get("k")).toEqual({ a: 1 });
  });

  it("rejects records that are not encrypted, and can replace and delete them", async () => {
    const map = new Map();
    const plain = kv(map);
    const store = kv(encrypted(map, { keys }));
    for (const value of [1, "x", [], { $encrypted: "x" }, { $encrypted: "YWtlMQ" }, {}]) {
      await plain.set("k", value);
      const error = await errorOf(store.get("k"));
      expect(error).toMatchObject({ code: "KV_CORRUPT", key: "k" });
    }
    expect((await errorOf(store.values())).code).toBe("KV_CORRUPT");
    expect((await errorOf(store.getMany(["k"]))).code).toBe("KV_CORRUPT");
    expect(await store.keys()).toEqual(["k"]);
    await store.set("k", "mine");
    expect(await store.get("k")).toBe("mine");
    await plain.set("k", 1);
    await store.del("k");
    expect(await store.has("k")).toBe(false);
  });

  it("keeps the prefix, the expiry and the codec of a store", async () => {
    const map = new Map();
    const inner = kv(map, { prefix: "app:", expires: "1h", codec: rich });
    const store = encrypted(inner, { keys });
    await store.set("born", new Date(0));
    expect(await store.get("born")).toEqual(new Date(0));
    expect([...map.keys()]).toEqual(["app:born"]);
    expect((await store.entry("born"))!.expires).toBeGreaterThan(Date.now());
    expect(store.options).toEqual({ prefix: "app:", expires: "1h" });
    // The same data by another way.
    const other = kv(encrypted(map, { keys }), { prefix: "app:", codec: rich });
    expect(await other.get("born")).toEqual(new Date(0));
  });

  it("expires, touches, prunes and watches as before", async () => {
    const map = new Map();
    const store = kv(encrypted(map, { keys }));
    await store.set("b", 2);
    expect(await store.touch("b", "1h")).toBe(true);
    expect((await store.entry("b"))!.expires).toBeGreaterThan(Date.now());
    const watch = store.watch(["a", "b"]);
    await watch.ready;
    const changes = watch[Symbol.asyncIterator]();
    await store.set("a", 1, { expires: 0.02 });
    // The value, unless it has expired before it could be reported.
    for (let entry: unknown = 1; entry !== null;) {
      const { value } = await changes.next();
      expect(value).toMatchObject({ key: "a" });
      entry = value!.entry;
    }
    await kv(encrypted(map, { keys })).set("b", 3);
    expect((await changes.next()).value).toMatchObject({ key: "b", entry: { value: 3 } });
    watch.close();
    await store.set("c", 1, { expires: 0.001 });
    await expect.poll(() => store.get("c")).toBe(null);
  });

  it("counts, and checks versions", async () => {
    const store = kv(encrypted(new Map(), { keys })) as Store;
    await Promise.all(Array.from({ length: 20 }, () => increment(store, "n")));
    expect(await store.get("n")).toBe(20);
    expect(await hit(store, "h", "1m", 1, { max: 1 })).toMatchObject({ count: 1, allowed: true });
    expect(await hit(store, "h", "1m", 1, { max: 1 })).toMatchObject({ allowed: false });
    const { version } = (await store.entry("n"))!;
    expect(await store.commit([{ key: "n", version }], [{ key: "n", value: 1 }])).toMatchObject({
      ok: true,
    });
    expect(await store.commit([{ key: "n", version }], [{ key: "n", value: 2 }])).toEqual({
      ok: false,
      failed: ["n"],
    });
  });

  it("keeps the call order with the store underneath", async () => {
    const map = new Map();
    const [plain, store] = [kv(map), kv(encrypted(map, { keys }))];
    const first = store.set("k", "encrypted");
    const seen = plain.has("k");
    const second = plain.del("k");
    const gone = store.get("k");
    expect([await seen, await gone]).toEqual([true, null]);
    await Promise.all([first, second]);
  });

  it("keeps the type of the values of a store", async () => {
    const store: Store<number> = encrypted(kv<number>(new Map()), { keys });
    const both: Store<number> = compressed(store);
    await both.set("n", 1);
    const read: number | null = await both.get("n");
    expect(read).toBe(1);
  });

  it("is closed with the store underneath, and closes it", async () => {
    const inner = kv(new Map());
    const store = encrypted(inner, { keys });
    await store.set("a", 1);
    await inner.close();
    expect(await errorOf(store.get("a"))).toMatchObject({ code: "KV_CLOSED" });
    const below = kv(new Map());
    await encrypted(below, { keys }).close();
    expect(await errorOf(below.get("a"))).toMatchObject({ code: "KV_CLOSED" });
  });

  it("reports a promise that rejects with the first operation", async () => {
    const store = encrypted(Promise.reject<Map<string, unknown>>(new Error("no")), { keys });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await errorOf(store.get("a"))).toMatchObject({ code: "KV_CONNECTION" });
  });

  it("keeps values of 2 MB, also through compressed() in both orders", async () => {
    const value = { text: "a1é😀\ud800".repeat(400_000), list: [null, 0, false, ""] };
    for (const store of [
      encrypted(new Map(), { keys }),
      encrypted(compressed(new Map()), { keys }),
      compressed(encrypted(new Map(), { keys })),
    ]) {
      await store.set("k", value);
      expect(await store.get("k")).toEqual(value);
    }
  });

  it("rejects values that JSON cannot keep before anything is written", async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const map = new Map();
    const store = encrypted(map, { keys });
    expect((await errorOf(store.set("k", cyclic))).code).toBe("KV_INVALID_VALUE");
    expect(map.size).toBe(0);
  });

  it("keeps the bytes of namespaces, also when they are changed after the call", async () => {
    const map = new Map<string, unknown>();
    const space = namespace(encrypted(map, { keys }), "bytes");
    const data = new TextEncoder().encode("binary secret");
    const put = space.put("k", data);
    data.fill(0);
    await put;
    expect(new TextDecoder().decode((await space.get("k", "arrayBuffer"))!)).toBe("binary secret");
    expect(dump(map)).not.toContain("binary secret");
  });

  it("takes an expired record for absent, whatever it was encrypted with", async () => {
    const map = new Map();
    await kv(encrypted(map, { keys: [B] })).set("k", 1, { expires: 0.001 });
    await kv(map).set("plain", 1, { expires: 0.001 });
    // The later deadline: both are over then.
    await expect.poll(() => kv(map).has("plain")).toBe(false);
    const store = kv(encrypted(map, { keys: [A] }));
    expect(await store.getMany(["k", "plain"])).toEqual([null, null]);
    expect(await store.entries()).toEqual([]);
    expect(await store.get("k")).toBe(null);
    expect(await store.list()).toMatchObject({ entries: [] });
  });

  it("reads with keys that may only decrypt, and with keys of another realm", async () => {
    const map = new Map();
    await encrypted(map, { keys: [A] }).set("k", 1);
    const old = await crypto.subtle.importKey("raw", bytes(1), "AES-GCM", false, ["decrypt"]);
    const store = encrypted(map, { keys: [B, { id: "a", key: old }] });
    expect(await store.get("k")).toBe(1);
    expect(() => encrypted(map, { keys: [{ id: "a", key: old }] })).toThrow(/encrypt and decrypt/);
    const key = runInNewContext("new Uint8Array(32).fill(1)") as Uint8Array;
    expect(await encrypted(map, { keys: [{ id: "a", key }] }).get("k")).toBe(1);
  });

  it("carries a cache, sessions of many writers, and both layers with hashed keys", async () => {
    const map = new Map();
    const layers = [
      encrypted(map, { keys }),
      compressed(encrypted(new Map(), { keys, hashKeys: bytes(4) }), { over: 0 }),
    ];
    for (const store of layers) {
      const cache = createCache(store, { ttl: "1h" });
      const load = async (): Promise<string> => "x".repeat(2000);
      const tags = ["t"];
      expect(await cache.getOrSet("a", load, { tags })).toBe("x".repeat(2000));
      await cache.expireTags(tags);
      expect(await cache.getOrSet("a", async () => "new", { tags })).toBe("new");
      const value = (await store.entry("v:a"))!;
      expect(value.value).toMatchObject({ value: "new" });
    }
    expect(dump(map)).not.toMatch(/xxxx|fresh/);
    expect(await errorOf(layers[1]!.keys())).toMatchObject({ code: "KV_NOT_SUPPORTED" });
  });

  it("does not see later changes of the key that was given", async () => {
    const map = new Map();
    const key = bytes(1);
    const store = encrypted(map, { keys: [{ id: "a", key }] });
    key.fill(0);
    await store.set("k", 1);
    expect(await encrypted(map, { keys }).get("k")).toBe(1);
  });
});

describe("encrypted() with hashKeys", () => {
  const hashKeys = bytes(3);

  it("keeps no key in the open, and finds each", async () => {
    const map = new Map<string, unknown>();
    const store = kv(encrypted(kv(map, { prefix: "app:" }), { keys, hashKeys }), {
      prefix: "user:",
    });
    await store.setMany([
      ["ann", 1],
      ["bob", 2],
    ]);
    expect(dump(map)).not.toMatch(/ann|bob|user/);
    for (const key of map.keys()) expect(key).toMatch(/^app:[\w-]{43}$/);
    expect(await store.getMany(["bob", "ann", "eve"])).toEqual([2, 1, null]);
    expect(await store.has("ann")).toBe(true);
    expect(await store.prefix("").get("ann")).toBe(1);
    await store.del("ann");
    expect(await store.get("ann")).toBe(null);
    expect(map.size).toBe(1);
  });

  it("rejects all that needs the keys", async () => {
    const store = kv(encrypted(new Map(), { keys, hashKeys }));
    await store.set("a", 1);
    expect(store.supports).toMatchObject({ iterate: false, order: false, watch: "polled" });
    for (const work of [
      () => store.keys(),
      () => store.values(),
      () => store.entries(),
      () => store.all(),
      () => store.list(),
      () => store.clear(),
      async () => {
        for await (const pair of store) expect.fail(String(pair));
      },
      () => store.watch({ prefix: "" }).ready,
    ]) {
      const error = await errorOf(work() as Promise<unknown>);
      expect(error.code).toBe("KV_NOT_SUPPORTED");
      expect(error.message).toContain("hashKeys");
    }
    expect(await store.get("a")).toBe(1);
  });

  it("commits, counts, touches and watches single keys", async () => {
    const map = new Map();
    const store = kv(encrypted(map, { keys, hashKeys })) as Store;
    await store.set("a", 1);
    expect(await store.commit([{ key: "a", version: null }], [])).toEqual({
      ok: false,
      failed: ["a"],
    });
    expect(await increment(store, "a")).toBe(2);
    expect(await store.touch("a", "1h")).toBe(true);
    const watch = store.watch("a", { interval: "20ms" });
    await watch.ready;
    const changes = watch[Symbol.asyncIterator]();
    await encrypted(map, { keys, hashKeys }).set("a", 5);
    expect((await changes.next()).value).toMatchObject({ key: "a", entry: { value: 5 } });
    watch.close();
  });

  it("removes expired records", async () => {
    const map = new Map();
    const store = kv(encrypted(map, { keys, hashKeys }));
    await store.setMany(
      [
        ["a", 1],
        ["b", 2],
      ],
      { expires: 0.001 },
    );
    await store.set("c", 3);
    await expect.poll(() => store.get("a")).toBe(null);
    await store.prune();
    expect(map.size).toBe(1);
    // Writes remove them too.
    await store.set("d", 1, { expires: 0.001 });
    for (let i = 0; i < 400; i++) await store.set("e", i);
    await expect.poll(() => map.size).toBe(2);
  });

  it("takes keys of any length", async () => {
    const store = encrypted(new Map(), { keys, hashKeys });
    await store.set("k".repeat(100_000), 1);
    expect(await store.get("k".repeat(100_000))).toBe(1);
  });
});

describe("the options of encrypted()", () => {
  const sign = (): Promise<CryptoKey> =>
    crypto.subtle.importKey("raw", bytes(1), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);

  it.each<[name: string, options: unknown, message: RegExp]>([
    ["nothing", undefined, /needs keys/],
    ["no keys", {}, /needs keys/],
    ["an empty list", { keys: [] }, /needs keys/],
    ["an object", { keys: { a: bytes(1) } }, /needs keys/],
    ["another name", { keys, key: bytes(1) }, /key is not an option/],
    ["a bare key", { keys: [bytes(1)] }, /keys\[0\]/],
    ["a hole", { keys: [A, undefined] }, /keys\[1\] is missing/],
    ["no id", { keys: [{ key: bytes(1) }] }, /keys\[0\]\.id/],
    ["an odd id", { keys: [{ id: "a b", key: bytes(1) }] }, /keys\[0\]\.id/],
    ["a long id", { keys: [{ id: "a".repeat(65), key: bytes(1) }] }, /keys\[0\]\.id/],
    ["one id twice", { keys: [A, { ...B, id: "a" }] }, /two keys have the id "a"/],
    ["a short key", { keys: [{ id: "a", key: new Uint8Array(31) }] }, /16 or 32 random bytes/],
    ["a passphrase", { keys: [{ id: "a", key: "correct horse" }] }, /a passphrase is no key/],
    ["hex", { keys: [{ id: "a", key: "ab".repeat(32) }] }, /a passphrase is no key/],
    ["a number", { keys: [{ id: "a", key: 5 }] }, /a passphrase is no key/],
    ["a short secret", { keys, hashKeys: new Uint8Array(16) }, /hashKeys/],
    ["another secret", { keys, hashKeys: true }, /hashKeys/],
  ])("reject %s", (_, options, message) => {
    let error: unknown;
    try {
      encrypted(new Map(), options as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "KV_INVALID_VALUE" });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/correct horse|abab/);
  });

  it("reject a CryptoKey of another kind", async () => {
    const key = await sign();
    expect(() => encrypted(new Map(), { keys: [{ id: "a", key }] })).toThrow(/a key for AES-GCM/);
    const store = encrypted(new Map(), { keys, hashKeys: key });
    await store.set("a", 1);
    expect(await store.get("a")).toBe(1);
  });

  it("reject invalid clients", () => {
    expect(() => encrypted(5 as never, { keys })).toThrow(/kv\(\)/);
  });
});
