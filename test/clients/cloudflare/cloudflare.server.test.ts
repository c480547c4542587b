import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cloudflare, type WorkersKv } from "../../../src/clients/cloudflare/index.ts";
import kv, { type Store } from "../../../src/index.ts";

import { DynamicStore } from "../../../src/schema/index.ts";
import { IDLE, startWorkerd } from "../../support/workerd.ts";
import { emptied, type RawKv } from "../../support/workerd-raw.ts";
import { compareKeys } from "../../../src/record/utf8.ts";

type Binding = WorkersKv & RawKv;

const workerd = startWorkerd(IDLE);
let binding: Binding;
let calls: { get: number; bulk: number; list: number; put: number; delete: number };

/** The binding, its calls counted. */
function counted(): WorkersKv {
  calls = { get: 0, bulk: 0, list: 0, put: 0, delete: 0 };
  return new Proxy({} as WorkersKv, {
    get:
      (_target, name: "get" | "list" | "put" | "delete") =>
      (key: unknown, ...rest: never[]) => {
        calls[name === "get" && Array.isArray(key) ? "bulk" : name]++;
        return (binding[name] as (...args: unknown[]) => unknown)(key, ...rest);
      },
  });
}

const numbered = (count: number): [string, number][] =>
  Array.from({ length: count }, (_, i) => [`n${String(i).padStart(5, "0")}`, i]);

async function fill(store: Store, pairs: readonly [string, number][]): Promise<void> {
  for (let i = 0; i < pairs.length; i += 400) await store.setMany(pairs.slice(i, i + 400));
}

/** Each call goes through a proxy, and may take long on a busy machine. */
const open = (client: WorkersKv | ReturnType<typeof cloudflare>): Store =>
  kv(client, { timeout: "1m" });

/** What Workers KV itself tells of a key. */
async function told(
  name: string,
): Promise<{ expiration?: number; metadata?: unknown } | undefined> {
  return (await binding.list({ prefix: name })).keys.find((key) => key.name === name);
}

beforeAll(async () => {
  binding = (await workerd.getKVNamespace("KV")) as unknown as Binding;
});
beforeEach(() => emptied(binding));
afterAll(() => workerd.dispose());

describe("CLOUDFLARE", () => {
  it("keeps the deadline of a field of a typed store that is written again", async () => {
    const store = open(binding).expires("1d");
    const name = DynamicStore("s", "string", { store }).take("name");
    const [late, deadlines] = [Date.parse("2999-01-01"), [] as (number | null)[]];
    for (const [text, options] of [
      ["a", { expires: new Date(late) }],
      ["b", {}],
      ["c", { expires: null }],
      ["d", {}],
    ] as const) {
      await name.write(text, options);
      deadlines.push((await store.entry("s:name"))!.expires);
    }
    expect(deadlines).toEqual([late, late, null, null]);
  });

  it("iterates 1,000 keys and 100 values a call, and reads no value for keys", async () => {
    const pairs = numbered(2350);
    await fill(open(binding).prefix("p:"), pairs);
    await binding.put("q", "theirs");
    const store = open(cloudflare(counted())).prefix("p:");
    let seen = 0;
    for await (const [key, value] of store) expect([key, value]).toEqual(pairs[seen++]);
    expect(seen).toBe(2350);
    expect(calls).toEqual({ get: 0, bulk: 24, list: 3, put: 0, delete: 0 });
    expect((await open(cloudflare(counted())).prefix("p:").keys()).length).toBe(2350);
    expect(calls).toEqual({ get: 0, bulk: 0, list: 3, put: 0, delete: 0 });
    // Another store has to come past the keys before, once, and reads none of their values.
    const first = await store.list({ limit: 1500 });
    const other = open(cloudflare(counted())).prefix("p:");
    const page = await other.list({ limit: 50, cursor: first.cursor });
    expect(page.entries[0]!.key).toBe("n01500");
    expect(calls).toEqual({ get: 0, bulk: 1, list: 2, put: 0, delete: 0 });
    // From there on it knows the place.
    await other.list({ limit: 50, cursor: page.cursor });
    expect(calls).toEqual({ get: 0, bulk: 2, list: 3, put: 0, delete: 0 });
    const last = await open(cloudflare(counted())).prefix("p:").list({ limit: 3, reverse: true });
    expect(last.entries.map(({ value }) => value)).toEqual([2349, 2348, 2347]);
    expect(calls).toEqual({ get: 0, bulk: 1, list: 3, put: 0, delete: 0 });
  });

  it("pages go on from where they stopped: one call each, in both directions right", async () => {
    const pairs = numbered(230);
    await fill(open(binding), pairs);
    const store = open(cloudflare(counted()));
    for (const reverse of [false, true]) {
      const found: unknown[] = [];
      let pages = 0;
      for (let cursor: string | null | undefined; cursor !== null; pages++) {
        const page = await store.list({
          limit: 20,
          reverse,
          ...(cursor !== undefined && { cursor }),
        });
        found.push(...page.entries.map(({ key, value }) => [key, value]));
        ({ cursor } = page);
      }
      expect(found).toEqual(reverse ? pairs.toReversed() : pairs);
      expect(pages).toBe(12);
    }
    expect(calls).toEqual({ get: 0, bulk: 24, list: 24, put: 0, delete: 0 });
  });

  it("gives Workers KV the deadline as well, rounded up, and a minute at least", async () => {
    const store = open(binding);
    const now = Date.now() / 1000;
    await store.setMany([["short", 1]], { expires: "1s" });
    await store.set("long", 1, { expires: "2h" });
    await store.set("never", 1);
    await store.set("9999", 1, { expires: new Date("9999-12-31") });
    expect((await told("short"))!.expiration).toBeGreaterThanOrEqual(Math.floor(now) + 60);
    expect((await told("short"))!.expiration).toBeLessThan(now + 90);
    expect((await told("long"))!.expiration).toBeGreaterThanOrEqual(now + 7200);
    expect((await told("long"))!.expiration).toBeLessThan(now + 7230);
    for (const key of ["never", "9999"]) expect(await told(key)).not.toHaveProperty("expiration");
    expect(await store.touch("never", "1h")).toBe(true);
    expect((await told("never"))!.expiration).toBeGreaterThan(now + 3000);
    expect(await store.touch("long", null)).toBe(true);
    expect(await told("long")).not.toHaveProperty("expiration");
  });

  it("keeps the documented text, and version and deadline in the metadata", async () => {
    const store = open(binding);
    const at = Date.now() + 3_600_000;
    await store.set("a", { b: 1 }, { expires: new Date(at), metadata: "m".repeat(5000) });
    const { version } = (await store.entry("a"))!;
    expect(await binding.get("a")).toBe(
      `{"kv":1,"version":"${version}","expires":${at},"metadata":"${"m".repeat(5000)}",` +
        `"value":{"b":1}}`,
    );
    expect((await told("a"))!.metadata).toEqual({ v: version, e: at });
  });

  it("lists no expired keys, though Workers KV still has them", async () => {
    const store = open(binding);
    await store.set("gone", 1, { expires: 0.001 });
    await store.set("there", 1);
    while ((await store.get("gone")) !== null);
    expect((await binding.list()).keys.map(({ name }) => name)).toEqual(["gone", "there"]);
    expect(await store.keys()).toEqual(["there"]);
    expect(await store.getMany(["gone", "there"])).toEqual([null, 1]);
  });

  it("reads keys that a bulk leaves out, and values that are too large together", async () => {
    const store = open(cloudflare(counted()));
    await store.setMany([
      ["1", "one"],
      ["2", "two"],
      ["01", "zero one"],
      ["x", "x"],
    ]);
    expect(await store.getMany(["2", "x", "1", "none", "01", "2"])).toEqual([
      "two",
      "x",
      "one",
      null,
      "zero one",
      "two",
    ]);
    expect(calls.bulk).toBe(1);
    expect((await store.values()).sort()).toEqual(["one", "two", "x", "zero one"]);
    const large = "x".repeat(9 * 1024 * 1024);
    await store.setMany([
      ["a", `${large}a`],
      ["b", `${large}b`],
      ["c", `${large}c`],
    ]);
    const values = (await store.getMany(["a", "b", "c", "1"])) as string[];
    expect(values.map((value) => value.at(-1))).toEqual(["a", "b", "c", "e"]);
    expect((await store.entries()).length).toBe(7);
  });

  it("works on a binding that knows no bulk", async () => {
    await open(binding).setMany([
      ["a", 1],
      ["b", 2],
    ]);
    const old = new Proxy(counted(), {
      get: (target, name: keyof WorkersKv) =>
        name === "get" ? (key: unknown) => binding.get(String(key)) : target[name],
    });
    expect(await open(cloudflare(old)).getMany(["a", "b", "c"])).toEqual([1, 2, null]);
  });

  it("takes keys that Workers KV refuses, in order", async () => {
    const store = open(binding);
    const keys = [".", ".\0", ".\0\0", ".\0a", ".a", "..", "..\0", "..\0\0", "...", "-", "/"].sort(
      compareKeys,
    );
    await store.setMany(keys.map((key) => [key, key]));
    expect((await store.list()).entries.map(({ key, value }) => [key, value])).toEqual(
      keys.map((key) => [key, key]),
    );
    expect((await store.prefix("..").keys()).sort()).toEqual(["\0", "\0\0", "."]);
    expect(await store.prefix(".\0").keys()).toEqual(["\0", "a"]);
    expect(await store.prefix(".").get(".")).toBe("..");
    const longest = `.${"\0".repeat(511)}`;
    await expect(store.set(longest, 1)).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      client: "CLOUDFLARE",
      key: longest,
    });
  });

  it("refuses too large values before they are sent, and leaves the old ones", async () => {
    const store = open(cloudflare(counted()));
    await store.set("a", "before");
    await expect(store.set("a", "é".repeat(14_000_000))).rejects.toMatchObject({
      code: "KV_TOO_LARGE",
      key: "a",
    });
    expect(calls.put).toBe(1);
    await store.set("a", "é".repeat(13_000_000));
    expect(calls.put).toBe(2);
  });

  it("explains why it cannot commit, and a refusal of Workers KV", async () => {
    const store = open(binding);
    expect(store.supports).toMatchObject({
      atomic: "no",
      order: false,
      expires: "native",
      keyBytes: 512,
    });
    await expect(store.commit([], [{ key: "a", value: 1 }])).rejects.toMatchObject({
      code: "KV_NOT_SUPPORTED",
      client: "CLOUDFLARE",
    });
    // No simulation limits the rate.
    const busy = {
      ...counted(),
      get: binding.get,
      list: binding.list,
      delete: binding.delete,
      getWithMetadata: binding.getWithMetadata,
      put: () => Promise.reject(new Error("KV PUT failed: 429 Too Many Requests")),
    };
    await expect(open(cloudflare(busy)).set("a", 1)).rejects.toMatchObject({
      code: "KV_RATE_LIMITED",
      key: "a",
    });
  });

  it("leaves foreign items alone, with any metadata", async () => {
    const theirs: [string, unknown][] = [
      ["t0", undefined],
      ["t1", { v: "x" }],
      ["t2", { e: 1 }],
      ["t3", "text"],
      ["t4", { v: "0".repeat(20), e: "soon" }],
    ];
    for (const [key, metadata] of theirs)
      await binding.put(key, "canary", metadata === undefined ? {} : { metadata });
    const store = open(binding);
    await store.prefix("t").set("mine", 1);
    expect(await store.keys()).toEqual(["tmine"]);
    await expect(store.get("t1")).rejects.toMatchObject({ code: "KV_FOREIGN" });
    await store.prefix("t").clear();
    await store.clear();
    expect((await binding.list()).keys.map(({ name }) => name)).toEqual(theirs.map(([key]) => key));
  });
});
