import { LRUCache } from "lru-cache";
import kv from "../../src/index.ts";
import { certify } from "../suites/certify.ts";

let cache: LRUCache<string, { theirs: number }>;
const foreign = {
  // Without a deadline: the `ttl` of the second cache would remove the item before it is looked at.
  put: (_store: unknown, key: string) => {
    cache.set(key, { theirs: 1 }, { ttl: 0, ...(cache.maxSize > 0 && { size: 1 }) });
  },
  has: (_store: unknown, key: string) => cache.has(key),
};

certify("LRU", { open: () => kv((cache = new LRUCache({ max: 5000 }))), foreign });

certify("LRU with sizes, and every option that could change what is read", {
  open: () => {
    cache = new LRUCache({
      maxSize: 2_000_000,
      ttl: 1,
      allowStale: true,
      updateAgeOnGet: true,
      updateAgeOnHas: true,
      noUpdateTTL: true,
      noDeleteOnStaleGet: true,
      ttlAutopurge: true,
      dispose: () => undefined,
      fetchMethod: () => ({ theirs: 2 }),
    });
    return kv(cache);
  },
  foreign,
});
