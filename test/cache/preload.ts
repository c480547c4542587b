import { createCache } from "../../src/cache/index.ts";

/**
 * Loads the code that caches load when they first need it. That takes real time, which a clock of a
 * test does not see.
 */
export async function preload(): Promise<void> {
  const cache = createCache({ l1: {}, l2: new Map() }, { ttl: "1m", grace: "1m" });
  await cache.getOrSetMany(["a"], (keys) => [...keys], { tags: ["t"] });
  await cache.expire("a");
  await cache.delTags(["t"]);
  await cache.close();
}
