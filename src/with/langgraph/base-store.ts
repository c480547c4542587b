import type { Store } from "../../api.ts";
import { untilDone } from "../../concurrency/retry.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { compareKeys } from "../../record/utf8.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";
import { decodeKey, encodeKey, encodePrefix } from "../../versioned/key.ts";
import type { LanggraphOptions } from "./checkpointer.ts";
import { matches } from "./filter.ts";

interface Members {
  readonly [name: string]: unknown;
}

/** An item as it is stored. Times are milliseconds since 1970. */
interface StoredItem {
  readonly value: Members;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An item of LangGraph. */
interface Item {
  readonly value: Members;
  readonly key: string;
  readonly namespace: string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface Put {
  readonly namespace: string[];
  readonly key: string;
  readonly value: Members | null;
}

interface Search {
  readonly namespacePrefix: string[];
  readonly filter?: Members | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

interface ListNamespaces {
  readonly matchConditions?:
    | readonly { readonly matchType: "prefix" | "suffix"; readonly path: readonly string[] }[]
    | undefined;
  readonly maxDepth?: number | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

type Operation = Put | Omit<Put, "value"> | Search | ListNamespaces;

/** As many as one commit checks. */
const MOST = 100;

const textOf = ({ namespace, key }: Pick<Put, "namespace" | "key">): string => {
  if (namespace.length === 0)
    throw new KvError("KV_INVALID_VALUE", "the namespace of an item is empty");
  return encodeKey([...namespace, key]);
};

const itemOf = (text: string, { value, createdAt, updatedAt }: StoredItem): Item => {
  const parts = decodeKey(text) as string[];
  return {
    value,
    key: parts.at(-1)!,
    namespace: parts.slice(0, -1),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
  };
};

async function getItem(store: Store, operation: Omit<Put, "value">): Promise<Item | null> {
  const text = textOf(operation);
  const stored = (await store.get(text)) as StoredItem | null;
  return stored && itemOf(text, stored);
}

/** Writes items in one step. Items that were there keep when they were created. */
async function putItems(store: Store, items: ReadonlyMap<string, Put>): Promise<void> {
  await untilDone(async () => {
    const texts = [...items.keys()];
    const entries = await Promise.all(texts.map((text) => store.entry(text)));
    const updatedAt = Date.now();
    const writes = texts.map((key, i) => {
      const { value } = items.get(key)!;
      const createdAt = (entries[i]?.value as StoredItem | undefined)?.createdAt ?? updatedAt;
      return { key, value: value && { value, createdAt, updatedAt } };
    });
    const checks = texts.map((key, i) => ({ key, version: entries[i]?.version ?? null }));
    return (await store.commit(checks, writes)).ok || null;
  });
}

async function search(store: Store, { namespacePrefix, filter, ...page }: Search): Promise<Item[]> {
  const { limit = 10, offset = 0 } = page;
  const prefix = encodePrefix(namespacePrefix);
  const found: Item[] = [];
  let cursor: string | null = null;
  do {
    const listed: Awaited<ReturnType<Store["list"]>> = await store.list({ prefix, cursor });
    for (const { key, value } of listed.entries) {
      const item = itemOf(key, value as unknown as StoredItem);
      if (matches(item.value, filter)) found.push(item);
    }
    cursor = found.length < offset + limit ? listed.cursor : null;
  } while (cursor !== null);
  return found.slice(offset, offset + limit);
}

async function listNamespaces(store: Store, operation: ListNamespaces): Promise<string[][]> {
  const { matchConditions = [], maxDepth = Infinity, limit = 100, offset = 0 } = operation;
  const fits = (namespace: readonly string[]): boolean =>
    matchConditions.every(({ matchType, path }) => {
      const from = matchType === "prefix" ? 0 : namespace.length - path.length;
      return (
        path.length <= namespace.length &&
        path.every((label, i) => label === "*" || label === namespace[from + i])
      );
    });
  const found = new Map<string, string[]>();
  for (const text of await store.keys()) {
    const namespace = (decodeKey(text) as string[]).slice(0, -1);
    const short = namespace.slice(0, maxDepth);
    if (fits(namespace)) found.set(encodeKey(short), short);
  }
  // Clients list keys in orders of their own.
  return [...found]
    .sort(([a], [b]) => compareKeys(a, b))
    .slice(offset, offset + limit)
    .map(([, namespace]) => namespace);
}

/** Reads first, and writes then: a batch reads what was there before it. */
async function batch(store: Store, operations: readonly Operation[]): Promise<unknown[]> {
  const puts = new Map<string, Put>();
  const results = await Promise.all(
    operations.map((operation) => {
      if ("namespacePrefix" in operation) return search(store, operation);
      if (!("namespace" in operation)) return listNamespaces(store, operation);
      if (!("value" in operation)) return getItem(store, operation);
      puts.set(textOf(operation), operation);
      return null;
    }),
  );
  const entries = [...puts];
  for (let i = 0; i < entries.length; i += MOST)
    await putItems(store, new Map(entries.slice(i, i + MOST)));
  return results;
}

/**
 * A `BaseStore` for LangGraph: the memory that threads share.
 *
 * The writes of a batch of up to 100 items are one commit. A search reads the items under its
 * namespace, and has no vectors: `query` is ignored. Items come in the order of their keys. Every
 * method rejects when the store fails.
 *
 * @param BaseStore the class of `@langchain/langgraph-checkpoint`.
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options.
 * @example
 * import { BaseStore } from "@langchain/langgraph-checkpoint";
 * import kv from "anykv";
 * import { langgraphStore } from "anykv/with/langgraph";
 *
 * const memories = langgraphStore(BaseStore, kv(new Map()), { prefix: "memories:" });
 * await memories.put(["users", "ann"], "food", { likes: "tea" });
 * const [found] = await memories.search(["users"], { filter: { likes: "tea" } });
 * console.log(found.namespace, found.key); // ["users","ann"] food
 */
export function langgraphStore<Base extends object>(
  BaseStore: abstract new (...args: never[]) => Base,
  store: Store,
  options: LanggraphOptions = {},
): Base {
  checkOptions(options, ["prefix"], "langgraphStore()");
  requireStore(store, "langgraphStore()");
  requireAtomic(store, "LangGraph");
  const base = store.prefix(options.prefix);
  class StoredMemory extends (BaseStore as unknown as new () => object) {
    async batch(operations: readonly Operation[]): Promise<unknown[]> {
      return batch(base, operations);
    }
  }
  return new StoredMemory() as Base;
}
