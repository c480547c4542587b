import { ETCD } from "../manifests.ts";
import { addressOf } from "../shared/address.ts";
import { commitToEtcd } from "./commit.ts";
import { EtcdCalls, type EtcdClient } from "./calls.ts";
import { EtcdKeys } from "./keys.ts";
import { LeasedWrites } from "./leased-writes.ts";
import { EtcdLeases } from "./leases.ts";
import { callOrderOf } from "./order.ts";
import { EtcdPages } from "./pages.ts";
import { forgetting } from "../shared/read-ahead.ts";
import { checkedRecord, splitOperations, readMany, encodeTransaction } from "./transactions.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

export type { EtcdClient } from "./calls.ts";

/**
 * Keeps records in etcd, as texts, through an `Etcd3` client or one of its namespaces. A missing
 * key is `null`. Records with a deadline hang on a lease that etcd ends within about one percent of
 * the remaining time behind it; records whose deadlines are close together share one. The record's
 * own deadline decides.
 *
 * Writes of one key through one client follow one another in the order of the calls. Versions are
 * the revisions of etcd. `commit` is one transaction: up to 100 checks and 1,000 writes fit a
 * server with default limits; larger ones are KV_TOO_LARGE. When the answer of a commit is lost,
 * the history of a key tells whether it was made. Every key under a prefix counts as the store's:
 * `keys()` lists items of others and `clear()` removes them; `get` refuses them, and `values()` and
 * the like skip them. Listing backwards makes the server read the whole prefix for each page.
 *
 * Faults are handled as the client is told to: by default etcd3 tries three times more, and refuses
 * everything for 5 seconds after three failures. `close()` closes an `Etcd3`, and leaves the client
 * of a namespace as it is. After two requests in a row without an answer the channels are closed
 * and replaced; pending calls are not sent again.
 *
 * @throws {KvError} KV_TOO_LARGE for more than the server takes (1.5 MiB a request by default),
 * KV_QUOTA when its database is full.
 * @example
 * import { Etcd3 } from "etcd3";
 * import kv from "anykv";
 *
 * const store = kv(new Etcd3({ hosts: process.env.ETCD_URL }), { prefix: "docs:" });
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 * await store.close();
 */
export const etcd: ClientFactory<EtcdClient, Record<never, never>> = defineClient({
  ...ETCD,
  address: addressOf,
  open(client: EtcdClient): Adapter {
    const calls = new EtcdCalls(client);
    const keys = new EtcdKeys(client.prefix);
    const { leased } = new LeasedWrites(keys, new EtcdLeases(client, calls));
    const pages = new EtcdPages(calls, keys);
    const ordered = callOrderOf(client);
    const keysOf = (writes: readonly Write[]): string[] => writes.map(({ key }) => key);

    async function getMany(names: readonly string[]): Promise<(KvRecord | null)[]> {
      const found = await readMany(
        calls,
        names.map((key) => keys.bytes(key)),
      );
      return found.map((each, i) => checkedRecord(each, names[i]!));
    }

    const adapter: Adapter = {
      async get(key) {
        const { kvs } = await calls.call("range", { key: keys.bytes(key) });
        return checkedRecord(kvs[0] ?? null, key);
      },
      getMany,
      set: (key, record) =>
        ordered([key], () =>
          leased(
            [{ key, record }],
            async ([operation]) => void (await calls.call("put", operation!.request_put!)),
          ),
        ),
      del: (key) =>
        ordered(
          [key],
          async () => void (await calls.call("deleteRange", { key: keys.bytes(key) })),
        ),
      setMany: (writes) =>
        ordered(keysOf(writes), () =>
          leased(writes, async (operations) => {
            for (const part of splitOperations(operations))
              await calls.call("txn", encodeTransaction([], part));
          }),
        ),
      page: (query) => pages.page(query),
      commit: (checks, writes, now) =>
        ordered(keysOf(writes), () => commitToEtcd(calls, keys, leased, checks, writes, now)),
      watch: async (feed, prefixes) =>
        (await import("./feed.ts")).etcdFeed(client, calls, keys, feed, prefixes),
      close: () => calls.close(),
      replace: () => calls.replace(),
    };
    return forgetting(adapter, () => pages.forget());
  },
  close: (client: EtcdClient) => client.close?.(),
});
