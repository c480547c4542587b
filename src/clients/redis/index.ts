import type { Supports } from "../../types.ts";
import { REDIS, supports } from "../manifests.ts";
import { StoredRecord } from "../../record/record.ts";
import { addressOf } from "../shared/address.ts";
import { commitToRedis, touchInRedis } from "./commit.ts";
import { rejecting } from "./errors.ts";
import { HEAD_END, listed, recordInReply } from "./record.ts";
import { headsOf, setManyInRedis, settingOf, textsOf } from "./many.ts";
import { scan } from "./scan.ts";
import { nameScripts } from "./scripts.ts";
import { wireOf } from "./wire-of.ts";
import type { RedisClient, RedisWire } from "./wire.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Adapter, StructureName } from "../adapter.ts";
import { decodeRecord } from "../../record/text-format.ts";
import { isFresh } from "../../record/freshness.ts";

export type { RedisClient } from "./wire.ts";

/** Options of {@link redis}. */
export interface RedisOptions {
  /**
   * Keeps the keys in order, in a sorted set that each write updates. A page of `list()` then costs
   * one page, however many keys there are. Every writer of the database needs this option. On a
   * cluster it works for prefixes with a hash tag, such as `"{app}:"`. Default `false`.
   */
  ordered?: boolean;
}

// Loaded by their first use. Another `import()` for each use costs more than the use.
let counting: typeof import("./count.ts") | undefined;
let structured: typeof import("./structures.ts") | undefined;

/** The record of a key that is listed without being read. */
const NAME_ONLY = new StoredRecord(null, null, null, null);

/**
 * Keeps records in Redis 6.2 or later (Valkey too), as texts: over a client, pool, cluster or
 * sentinel of node-redis 4 to 6, or a client or cluster of ioredis 5 or 6. One that is not
 * connected yet is connected by the first operation. A missing key is `null`; a record is absent
 * from its deadline on, and Redis drops it then, to the millisecond by its own clock. A `keyPrefix`
 * of the client is kept.
 *
 * Redis lists keys without their values: every string under the store's prefix counts as the
 * store's, and `clear()` deletes it. Other types are never touched; `get` refuses them with
 * KV_FOREIGN.
 *
 * A client that has lost its server is waited for as long as the store's `timeout` says. Commands
 * that were rejected meanwhile are not sent any more. A write whose answer was lost, KV_CONNECTION,
 * may have been carried out, or may still be: ioredis and sentinels send it again, in its order. A
 * commit that is refused the second time is KV_CONNECTION then, never `{ ok: false }`.
 *
 * After two requests in a row without an answer, a client, pool or cluster gets new connections:
 * pending commands reject, and are not sent again. Sentinels keep theirs.
 *
 * `commit` is one script. On a cluster all its keys have to be in one slot, which a hash tag sees
 * to: `store.prefix("{user:1}:")`.
 *
 * @throws {KvError} KV_CROSS_SLOT for a commit over several slots, KV_QUOTA when `maxmemory` is
 * reached, KV_TOO_LARGE beyond 512 MB.
 * @example
 * import { createClient } from "redis";
 * import kv from "anykv";
 *
 * const store = kv(createClient({ url: process.env.REDIS_URL }), { prefix: "app:" });
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 * await store.close();
 */
export const redis: ClientFactory<RedisClient, RedisOptions> = defineClient({
  ...REDIS,
  options: ["ordered"],
  supports: (_, options) =>
    supports({
      ...(REDIS.supports as Supports),
      order: (options as RedisOptions | undefined)?.ordered === true,
    }),
  // node-redis has options that say nothing for its default.
  address: (client: RedisClient) =>
    addressOf(client) ??
    ("options" in client && client.options !== undefined ? "localhost:6379" : undefined),
  async open(client: RedisClient, { ordered = false }: RedisOptions): Promise<Adapter> {
    const wire = wireOf(client);
    await nameScripts();
    const adapter = adapterOf(client, wire);
    return ordered ? (await import("./ordered.ts")).orderedAdapter(adapter, wire) : adapter;
  },
  close: (client: RedisClient) => wireOf(client).close(),
});

function adapterOf(client: RedisClient, wire: RedisWire): Adapter {
  const at = (key: string): string => wire.before + key;
  // Single reads and writes continue the promise of the client: another promise would cost time.
  return {
    inOrder: wire.isInOrder ? "all" : undefined,
    get: (key) =>
      wire.send(at(key), ["GET", at(key)]).then((text) => recordInReply(text, key), rejecting(key)),
    async has(key, now) {
      const head = await wire
        .send(at(key), ["GETRANGE", at(key), "0", String(HEAD_END)])
        .catch(rejecting(key));
      return head !== "" && isFresh(decodeRecord(String(head), key, false), now);
    },
    getMany: async (keys) =>
      (await textsOf(wire, keys).catch(rejecting())).map((text, i) =>
        recordInReply(text, keys[i]!),
      ),
    set: (key, record) =>
      wire.send(at(key), settingOf(wire, key, record)).then(() => undefined, rejecting(key)),
    del: (key) => wire.send(at(key), ["UNLINK", at(key)]).then(() => undefined, rejecting(key)),
    setMany: (writes) => setManyInRedis(wire, writes),
    iterate: (prefix, values) =>
      scan(wire, prefix, {
        read: (keys) =>
          (values ? textsOf(wire, keys) : headsOf(wire, keys)) as Promise<(string | null)[]>,
        decode: (text, key) => listed(text, key, values),
      }),
    walk: async (query) => (await import("./walk.ts")).walk(wire, query).catch(rejecting()),
    touch: (key, expires) => touchInRedis(wire, key, expires),
    commit: (checks, writes, now) => commitToRedis(wire, checks, writes, now),
    count: async (key, record, rules) =>
      (counting ??= await import("./count.ts")).countInRedis(wire, key, record, rules),
    structure: async (name, place, ...args) =>
      (structured ??= await import("./structures.ts")).structure(
        wire,
        name as StructureName,
        place,
        args,
      ),
    names: (prefix) => scan(wire, prefix, { read: async (keys) => keys, decode: () => NAME_ONLY }),
    // Loaded by its first use.
    async watch(feed, prefixes) {
      const [{ redisFeed }] = await Promise.all([import("./feed.ts"), wire.nodes()]);
      return redisFeed(client, wire.prefix, feed, prefixes);
    },
    close: () => wire.close(),
    ...(wire.replace && { replace: wire.replace }),
  };
}
