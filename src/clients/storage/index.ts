import { load } from "../../platform/load.ts";
import { STORAGE } from "../manifests.ts";
import { type StorageLike, storageItems } from "./items.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Adapter } from "../adapter.ts";

export type { StorageLike } from "./items.ts";

/**
 * Keeps records in Web Storage, one item a key. A missing key is `null`. An expired record is
 * removed when it is read, by a sweep that rides on writes, or by `prune()`. Items that this
 * library did not write are left alone.
 *
 * `supports.atomic` is `"process"`: a commit is one synchronous step in this tab. Other tabs are
 * not held off, not even with a Web Lock: browsers show a tab's writes to the next tab with a
 * delay, also after a lock has changed hands.
 *
 * @throws {KvError} KV_QUOTA when the storage is full: the old value is still there.
 * @example
 * ```js browser
 * import kv from "anykv";
 *
 * const store = kv(localStorage);
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const storage: ClientFactory<StorageLike, Record<never, never>> = defineClient({
  ...STORAGE,
  quick: (client: StorageLike) => storageItems(client),
  open: async (client: StorageLike): Promise<Adapter> => (await load()).storageAdapter(client),
});
