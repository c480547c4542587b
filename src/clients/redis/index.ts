import { isKvError, KvError } from "../../errors.ts";
import { REDIS } from "../manifests.ts";
import { StoredRecord } from "../../record/record.ts";
import { addressOf } from "../shared/address.ts";
import { redisError, unsure } from "./errors.ts";
import { EXPIRES_WIDTH, HEAD_END, listed, recordInReply, encodeRecordText } from "./record.ts";
import { headsOf, textsOf, unlinking } from "./many.ts";
import { scan } from "./scan.ts";
import { nameScripts, runScript } from "./scripts.ts";
import { slotOf } from "./slot.ts";
import { type RedisClient, type RedisCommand, wireOf } from "./wire.ts";
import { committed } from "../shared/all-or-nothing.ts";
import type { CommitResult } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import type { Adapter, StructureName } from "../adapter.ts";
import { decodeRecord, foreign } from "../../record/text-format.ts";
import { isFresh } from "../../record/freshness.ts";
import { formatVersion, timedStamp } from "../../record/version.ts";

export type { RedisClient } from "./wire.ts";

/** Stands for what is listed without being read. */
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
 * A client that has lost its server is waited for as long as the store's `timeout` says; what was
 * refused meanwhile is not sent any more. A write whose answer was lost, KV_CONNECTION, may have
 * been carried out, or may still be: ioredis and sentinels send it again, in its order. A commit
 * that is refused the second time is KV_CONNECTION then, never `{ ok: false }`.
 *
 * After two requests in a row without an answer, a client, pool or cluster gets new connections:
 * what was under way rejects, and is not sent again. Sentinels keep theirs.
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
export const redis: ClientFactory<RedisClient, Record<never, never>> = defineClient({
  ...REDIS,
  // node-redis has options that say nothing for its default.
  address: (client: RedisClient) =>
    addressOf(client) ??
    ("options" in client && client.options !== undefined ? "localhost:6379" : undefined),
  async open(client: RedisClient): Promise<Adapter> {
    const wire = wireOf(client);
    await nameScripts();
    const at = (key: string): string => wire.before + key;
    const failing =
      (key?: string) =>
      (error: unknown): never => {
        throw redisError(error, key);
      };

    function setting(key: string, record: KvRecord): RedisCommand {
      const text = encodeRecordText(record, key);
      return record.expires === null
        ? ["SET", at(key), text]
        : ["SET", at(key), text, "PXAT", String(record.expires)];
    }
    async function setMany(writes: readonly Write[]): Promise<void> {
      const commands = writes.flatMap(({ key, record }): [string, RedisCommand][] =>
        record === null ? [] : [[at(key), setting(key, record)]],
      );
      const gone = writes.filter(({ record }) => record === null).map(({ key }) => key);
      await wire.sendAll([...commands, ...unlinking(wire, gone)]).catch(failing());
    }
    const iterate = (
      prefix: string,
      values: boolean,
    ): AsyncIterable<readonly [string, KvRecord] | null> =>
      scan(wire, prefix, {
        read: (keys) =>
          (values ? textsOf(wire, keys) : headsOf(wire, keys)) as Promise<(string | null)[]>,
        decode: (text, key) => listed(text, key, values),
      });
    async function touch(key: string, expires: number | null): Promise<boolean> {
      const args = [
        String(Date.now()),
        formatVersion(timedStamp()),
        String(expires).padEnd(EXPIRES_WIDTH),
        String(expires ?? ""),
      ];
      const reply = Number(await runScript(wire, "touch", [at(key)], args).catch(failing(key)));
      if (reply === -1) throw foreign(key);
      return reply === 1;
    }
    async function commit(
      checks: readonly Check[],
      writes: readonly Write[],
      now: number,
    ): Promise<CommitResult> {
      const result = committed(writes) as CommitResult & { ok: true };
      const keys = [...checks, ...writes].map(({ key }) => key);
      if (keys.length === 0) return result;
      const slots = wire.isCluster ? new Set(keys.map((key) => slotOf(wire.prefix + key))).size : 1;
      if (slots > 1) {
        const remedy = 'give its keys a hash tag in common, for example by the prefix "{user:1}:"';
        throw new KvError(
          "KV_CROSS_SLOT",
          `the keys of this commit are in ${slots} slots of the cluster, and it holds in one ` +
            `alone: ${remedy}`,
          { key: keys[0] },
        );
      }
      // No record has an empty version: that is not to be taken for the mark of an absent key.
      const args = [
        String(now),
        String(checks.length),
        result.version,
        ...checks.map(({ version }) => (version === null ? "" : String(version) || "-")),
      ];
      for (const { key, record } of writes)
        args.push(
          record === null ? "" : encodeRecordText(record, key),
          String(record?.expires ?? ""),
        );
      const isUnsure = await wire.watch().catch(failing());
      const refusing = (error: unknown): never => {
        const known = redisError(error);
        throw isUnsure() && isKvError(known) ? unsure(known) : known;
      };
      const failed = (
        (await runScript(wire, "commit", keys.map(at), args).catch(refusing)) as unknown[]
      ).map(Number);
      if (failed.length > 0 && isUnsure()) throw unsure();
      if (failed[0] === 0) throw foreign(keys[failed[1]! - 1]!);
      return failed.length > 0
        ? { ok: false, failed: failed.map((place) => keys[place - 1]!) }
        : result;
    }

    const nothing = (): void => undefined;

    // Single reads and writes go on with what the client promises, without a promise between.
    return {
      inOrder: wire.isInOrder ? "all" : undefined,
      get: (key) =>
        wire.send(at(key), ["GET", at(key)]).then((text) => recordInReply(text, key), failing(key)),
      async has(key, now) {
        const head = await wire
          .send(at(key), ["GETRANGE", at(key), "0", String(HEAD_END)])
          .catch(failing(key));
        return head !== "" && isFresh(decodeRecord(String(head), key, false), now);
      },
      getMany: async (keys) =>
        (await textsOf(wire, keys).catch(failing())).map((text, i) =>
          recordInReply(text, keys[i]!),
        ),
      set: (key, record) => wire.send(at(key), setting(key, record)).then(nothing, failing(key)),
      del: (key) => wire.send(at(key), ["UNLINK", at(key)]).then(nothing, failing(key)),
      setMany,
      iterate,
      touch,
      commit,
      // Loaded by its first use.
      structure: async (name, place, ...args) =>
        (await import("./structures.ts")).structure(wire, name as StructureName, place, args),
      names: (prefix) =>
        scan(wire, prefix, { read: async (keys) => keys, decode: () => NAME_ONLY }),
      // Loaded by its first use.
      async watch(feed, prefixes) {
        const [{ redisFeed }] = await Promise.all([import("./feed.ts"), wire.nodes()]);
        return redisFeed(client, wire.prefix, feed, prefixes);
      },
      close: () => wire.close(),
      ...(wire.replace && { replace: wire.replace }),
    };
  },
  close: (client: RedisClient) => wireOf(client).close(),
});
