import { MEMORY } from "../manifest.ts";
import { mapAdapter, type MapLike } from "../map-adapter.ts";
import type { Adapter } from "../types.ts";
import { type ClientFactory, defineClient } from "./define.ts";

/**
 * Keeps records in a Map of yours, or in one of its own. A missing key costs one look-up; reading, writing and `commit` each happen in one
 * step. Nothing outlives the process.
 *
 * @example
 * import kv from "anykv";
 *
 * const store = kv(new Map());
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 */
export const memory: ClientFactory<MapLike | undefined, Record<never, never>> = defineClient({
  ...MEMORY,
  open(map: MapLike = new Map()): Adapter {
    const adapter = adapters.get(map) ?? mapAdapter(map);
    adapters.set(map, adapter);
    return adapter;
  },
});

// Stores over one Map share what is known of its deadlines.
const adapters = new WeakMap<MapLike, Adapter>();
