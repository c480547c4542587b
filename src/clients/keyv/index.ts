import { KvError } from "../../errors.ts";
import { KEYV } from "../manifests.ts";
import { KeyvItems, type KeyvLike } from "./store.ts";
import { adapterOf } from "../shared/items.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Adapter } from "../adapter.ts";

export type { KeyvLike } from "./store.ts";

// One listener and one lock a Keyv, however many stores there are over it.
const known = new WeakMap<KeyvLike, KeyvItems>();

/**
 * Keeps records in whatever a `Keyv` (5 or 6) keeps its items in: a missing key is `null`,
 * deadlines are exact, values come back as they were. Its namespace, serialisation, compression and
 * encryption are used; its hooks and statistics see nothing of it. The backend gets each deadline
 * too, a minute later. Items that this library did not write are left alone, and so are those of
 * other namespaces.
 *
 * Keyv turns a failure of its backend into "not found" or `false`; here it rejects with
 * KV_CONNECTION. `supports.iterate` tells whether the backend can list its keys. Give `@keyv/redis`
 * a namespace: without one it lists the whole database.
 *
 * Not promised: `commit` holds among the stores over the same `Keyv` in this process
 * (`supports.atomic` is `"process"`), not across processes or two instances over one backend, and a
 * commit of several keys that an outage interrupts is only taken back while the backend still
 * answers. A backend that cuts long keys, folds case or loses data passes that on.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a Keyv before version 5.
 * @example
 * import Keyv from "keyv";
 * import kv from "anykv";
 *
 * const store = kv(new Keyv({ namespace: "app" }));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const keyv: ClientFactory<KeyvLike, Record<never, never>> = defineClient({
  ...KEYV,
  open(client: KeyvLike): Adapter {
    if (client.encode === undefined && client.serializeData === undefined)
      throw new KvError("KV_INVALID_CLIENT", "this Keyv is too old: version 5 or later is needed");
    const items = known.get(client) ?? new KeyvItems(client);
    known.set(client, items);
    const adapter = adapterOf(items);
    const { iterate } = typeof KEYV.supports === "function" ? KEYV.supports(client) : KEYV.supports;
    if (!iterate) delete adapter.iterate;
    return adapter;
  },
});
