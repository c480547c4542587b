import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient, createClientPool } from "redis";
import { createClient as createClient4 } from "redis4";
import { createClient as createClient5, createClientPool as createClientPool5 } from "redis5";
import type { RedisClient } from "../../src/clients/redis/index.ts";

/**
 * A client of each kind for one server; none of them is connected yet, unless it connects by
 * itself.
 */
export const CLIENTS: { readonly [name: string]: (url: string) => RedisClient } = {
  "node-redis 6": (url) => createClient({ url }),
  "node-redis 5": (url) => createClient5({ url }),
  "node-redis 4": (url) => createClient4({ url }),
  "a pool of node-redis 6": (url) => createClientPool({ url }),
  "a pool of node-redis 5": (url) => createClientPool5({ url }),
  "ioredis 5": (url) => new Redis(url),
  "ioredis 6": (url) => new Redis6(url, { lazyConnect: true }),
};
