import { KvError } from "../../errors.ts";
import { type IoRedis, ioredisWire } from "./ioredis.ts";
import {
  clientWire,
  clusterWire,
  type NodeRedis,
  type NodeRedisClient,
  type NodeRedisCluster,
  type NodeRedisPool,
  type NodeRedisSentinel,
  poolWire,
  sentinelWire,
} from "./node-redis.ts";
import type { RedisClient, RedisWire } from "./wire.ts";

const has = (client: object, method: string): boolean =>
  typeof (client as { [name: string]: unknown })[method] === "function";

/**
 * The wire of a client of any kind.
 *
 * @throws {KvError} KV_INVALID_CLIENT for an object that takes commands and is no client: a
 * pipeline, or the result of `legacy()` of node-redis.
 */
export function wireOf(client: RedisClient): RedisWire {
  const { isOpen, status } = client as Partial<NodeRedis & IoRedis>;
  if (typeof isOpen !== "boolean" && typeof status !== "string")
    throw new KvError(
      "KV_INVALID_CLIENT",
      "this is a face of a Redis client: pass the client itself",
    );
  // Each kind has a member that no other kind has. Copies and versions of a library do not matter.
  if (has(client, "call")) return ioredisWire(client as IoRedis);
  if (has(client, "nodeClient")) return clusterWire(client as NodeRedisCluster);
  if (has(client, "getSentinelNode")) return sentinelWire(client as NodeRedisSentinel);
  if (has(client, "execute")) return poolWire(client as NodeRedisPool);
  return clientWire(client as NodeRedisClient);
}
