// Each API, as the documentation shows it. Stores that are made at once are made while this module
// loads: edge workers have neither timers nor random numbers then.
import kv from "anykv";
import { atomic, increment } from "anykv/atomic";
import { createCacheLike } from "anykv/cache-like";
import { createCache } from "anykv/cache";
import { http } from "anykv/clients/http";
import { rich } from "anykv/codec";
import { compressed } from "anykv/compressed";
import { encrypted } from "anykv/encrypted";
import { createLimiter } from "anykv/limit";
import { createHandler } from "anykv/http";
import { KV, namespace } from "anykv/namespace";
import { createKVStore } from "anykv/reactive";
import { DynamicStore, StaticStore } from "anykv/schema";
import { createSessions } from "anykv/session";
import { trace } from "anykv/tracing";
import { connect, versioned } from "anykv/versioned";
import { createWebStorageLike } from "anykv/web-storage-like";

const token = "9b9634a1-1655-4baf-bdf5-c04feffc68bd";
const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "my-app" }] });
const fetch = (...request) => handler(new Request(...request));
const remote = connect({ url: "https://kv.test", accessToken: token, fetch });
const entries = versioned(kv(new Map()), {
  indexes: { email: { prefix: ["users"], of: (user) => user.email, unique: true } },
});
const app = StaticStore(
  "app",
  { online: "set", users: DynamicStore("users", "number") },
  { store: kv(new Map()) },
);
const settings = createKVStore("settings", { store: kv(new Map()) });
const cache = createCache({ l1: {}, l2: kv(new Map()) }, { ttl: "1m", grace: "1h" });
const posts = namespace(kv(new Map()), "posts");
const users = KV.namespace("users");
const secret = encrypted(new Map(), {
  keys: [{ id: "1", key: new Uint8Array(32) }],
  hashKeys: new Uint8Array(32),
});
const small = compressed(new Map());
const traced = trace(kv(new Map()), { keys: true });

/** @throws {Error} unless both are the same as JSON. */
function equal(actual, expected) {
  const [is, should] = [actual, expected].map((value) => JSON.stringify(value));
  if (is !== should) throw new Error(`${is} should be ${should}`);
}

/**
 * What to try, by its name. `storage` is where this runtime keeps namespaces without being told.
 */
export const apis = ({ storage }) => ({
  async atomic() {
    const store = kv(new Map());
    equal((await atomic(store).check({ key: "a", version: null }).set("a", 1).commit()).ok, true);
    equal(await increment(store, "a", 2), 3);
  },
  async limit() {
    const limiter = createLimiter(kv(new Map()));
    const hit = () => limiter.hit("a", "1m", 1, { max: 1 });
    equal([(await hit()).allowed, (await hit()).allowed], [true, false]);
  },
  async session() {
    const sessions = createSessions(kv(new Map()), { onConflict: "merge" });
    await sessions.create("a", { user: "ann" });
    await sessions.destroy("a");
    equal(await sessions.write("a", { user: "ann" }), false);
  },
  async "cache-like"() {
    const cache = createCacheLike(kv(new Map()), { unit: "ms", missing: undefined });
    await cache.set("a", 1, 60_000);
    equal([await cache.get("a"), await cache.delete("a"), await cache.has("a")], [1, true, false]);
  },
  async "web-storage-like"() {
    const items = createWebStorageLike(kv(new Map()));
    await items.setItem("a", { n: 1 });
    equal(await items.entries(), [["a", { n: 1 }]]);
  },
  async cache() {
    const load = ({ setOptions }) => {
      setOptions({ tags: ["users"] });
      return { name: "Ann" };
    };
    equal(await Promise.all([1, 2].map(() => cache.getOrSet("a", load))), [
      { name: "Ann" },
      { name: "Ann" },
    ]);
    await cache.delTags(["users"]);
    equal([await cache.get("a"), cache.stats().loads], [null, 1]);
  },
  async versioned() {
    await entries.set(["users", 1n], { email: "ann@example.com" });
    equal((await entries.getBy("email", "ann@example.com")).value.email, "ann@example.com");
    const watching = entries.watch([["users", 1n]]).getReader();
    equal((await watching.read()).value.length, 1);
    await watching.cancel();
  },
  async http() {
    const store = kv(http("https://kv.test", { token, fetch }));
    await store.set("key1", "Hello world", { expires: "1h" });
    equal(await store.get("key1"), "Hello world");
    await remote.set(["users", 1], "Ann");
    equal((await remote.get(["users", 1])).value, "Ann");
    equal(await (await fetch("https://kv.test/ready")).json(), { ok: true });
  },
  async namespace() {
    await posts.put("first", new Blob(["The first"]).stream(), { metadata: { by: "ann" } });
    equal(await posts.get("first"), "The first");
    equal((await posts.list()).keys, [{ name: "first", metadata: { by: "ann" } }]);
  },
  async "its default place"() {
    await users.put("user:123", "Alice");
    equal([await users.get("user:123"), KV.storage], ["Alice", storage]);
  },
  async schema() {
    equal(await app.take("online").add("ann"), 1);
    equal(
      await app
        .take("users")
        .take("ann")
        .write("one")
        .catch(({ code }) => code),
      "KV_VALIDATION",
    );
  },
  async reactive() {
    const theme = settings("theme", { dark: false });
    await settings.ready();
    theme.data.dark = true;
    await settings.ready();
    equal(settings.snapshot(theme), { data: { dark: true }, status: "ready" });
    settings.leave(theme);
  },
  async encrypted() {
    await secret.set("a", { n: 1 }, { metadata: "m" });
    const { value, metadata } = await secret.entry("a");
    equal([value, metadata], [{ n: 1 }, "m"]);
  },
  async compressed() {
    await small.set("a", "x".repeat(10_000));
    equal((await small.get("a")).length, 10_000);
  },
  async tracing() {
    await traced.set("a", 1);
    equal([await traced.get("a"), await traced.keys()], [1, ["a"]]);
  },
  async codec() {
    const store = kv(new Map(), { codec: rich });
    await store.set("a", { big: 10n, set: new Set([1]) });
    const { big, set } = await store.get("a");
    equal([typeof big, [...set]], ["bigint", [1]]);
  },
});
