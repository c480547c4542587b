import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf } from "../store/store.ts";
import { listNames } from "./list.ts";
import { Reads } from "./reads.ts";
import { NamespaceRecords } from "./records.ts";
import { rulesOf } from "./refusal.ts";
import type { Namespace, NamespaceOptions } from "./types.ts";
import { deleteKey, putKey } from "./writes.ts";

/**
 * A namespace over a store: the API of Workers KV. Each key has two records, one with the value and
 * one for listings. Both are written in one commit.
 *
 * The first operation opens the client. Namespaces of different names do not see each other's keys.
 * Other data in the same store should be under another prefix.
 *
 * @param name any well-formed text, also an empty one.
 * @throws {KvError} at once: KV_INVALID_CLIENT for a wrong store or options, KV_INVALID_KEY for a
 * wrong name.
 * @example
 * import kv from "anykv";
 * import { namespace } from "anykv/namespace";
 *
 * const posts = namespace(kv(new Map()), "posts");
 * await posts.put("post:1", { title: "Hello" }, { metadata: { author: "ann" } });
 * console.log(await posts.get("post:1", "json")); // { title: "Hello" }
 * const { keys } = await posts.list({ prefix: "post:" });
 * console.log(keys); // [{ name: "post:1", metadata: { author: "ann" } }]
 */
export function namespace<V>(
  store: Store<V>,
  name: string,
  options: NamespaceOptions = {},
): Namespace {
  const context = contextOf(store);
  if (context === undefined)
    throw new KvError(
      "KV_INVALID_CLIENT",
      "a namespace is put over a store: namespace(kv(client), name)",
    );
  const { prefix, expires } = context;
  // A store or a client passed as the options would be ignored.
  checkOptions(options, ["compat"], "namespace()", "KV_INVALID_CLIENT");
  const rules = rulesOf(options.compat);
  const records = new NamespaceRecords(context, name);
  const reads = new Reads(records, rules);
  const close = (): Promise<void> => records.store.close();
  return {
    get: ((key: unknown, type?: unknown) => reads.get(key, type)) as Namespace["get"],
    getWithMetadata: ((key: unknown, type?: unknown) =>
      reads.getWithMetadata(key, type)) as Namespace["getWithMetadata"],
    put: (key, value, written) => putKey(records, rules, expires, key, value, written),
    delete: (key) => deleteKey(records, rules, key),
    list: ((listed?: unknown) => listNames(records, rules, prefix, listed)) as Namespace["list"],
    close,
    [Symbol.asyncDispose]: close,
  } as Namespace;
}
