import { MEMORY } from "./manifests.ts";
import { load } from "../platform/load.ts";
import { mapItems, type MapLike } from "./shared/map-items.ts";
import { type ClientFactory, defineClient } from "./define.ts";
import type { Adapter } from "./adapter.ts";

const inMap = defineClient({
  ...MEMORY,
  quick: (map: MapLike) => mapItems(map),
  open: async (map: MapLike): Promise<Adapter> => (await load()).mapAdapter(map),
});

/**
 * Keeps records in a Map of yours, or in one of its own. A missing key costs one look-up; reading,
 * writing and `commit` each happen in one step. Nothing outlives the process.
 *
 * @example
 * import kv from "anykv";
 *
 * const store = kv(new Map());
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 */
export const memory: ClientFactory<MapLike | undefined, Record<never, never>> = (
  map = new Map(),
  options,
) => inMap(map, options);
