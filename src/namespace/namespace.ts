import type { Store } from "../api.ts";
import { isKvError, KvError } from "../errors.ts";
import { RAW } from "../store/coded.ts";
import { checkOptions } from "../platform/options.ts";
import { contextOf, createStore } from "../store/store.ts";
import { Turns } from "../store/turns.ts";
import type { MaybePromise } from "../types.ts";
import {
  checkKey,
  checkKeys,
  checkTotal,
  checkType,
  expirationOf,
  type Listing,
  listingOf,
  metadataOf,
  typeOf,
  writingOf,
} from "./checks.ts";
import { decodeKept, encodeHead, encodeKept, type Kept } from "./kept.ts";
import { namespacePrefix, type Keys, type Layout, layoutOf } from "./layout.ts";
import { cursorAt, namesBehind, cursorPosition } from "./pages.ts";
import { asText, checkKind, convert, payloadOf } from "./payload.ts";
import { rulesOf } from "./refusal.ts";
import type {
  KeyPage,
  ListedKey,
  Namespace,
  NamespaceOptions,
  PutOptions,
  ValueWithMetadata,
} from "./types.ts";

const isSettled = <T>(all: readonly MaybePromise<T>[]): all is readonly T[] =>
  !all.some((each) => each instanceof Promise);

/** A change of one record; `null` deletes. */
interface Change {
  readonly key: string;
  readonly value: unknown;
  readonly expires: Date | null;
}

/**
 * A namespace over a store: the API of Workers KV. It keeps two records for each key, the value and
 * what listings tell of it, in one commit.
 *
 * Nothing is opened before the first operation, and nothing needs to be created: namespaces of
 * different names know nothing of each other's keys. What else the store has should be under
 * another prefix.
 *
 * @param name any well-formed text, also an empty one.
 * @throws {KvError} KV_INVALID_CLIENT for what is no store or no options, KV_INVALID_KEY for what
 * is no name: at once.
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
  const { prefix, expires: byDefault } = context;
  // A store or a client in their place would be ignored.
  checkOptions(options, ["compat"], "namespace()", "KV_INVALID_CLIENT");
  const rules = rulesOf(options.compat);
  const records: Store<unknown> = createStore<unknown>(context, { codec: RAW });
  const turns = new Turns(contextOf(records)!);
  layoutOf(name, prefix, Infinity);

  let known: Layout | undefined;
  /** `null` for a promise of a client, which does not tell yet how long its keys may be. */
  const layout = (): Layout | null =>
    (known ??=
      records.type === "PENDING" ? undefined : layoutOf(name, prefix, records.supports.keyBytes)) ??
    null;

  /** Runs an operation on these names in call order, with their keys. */
  function inTurn<T>(
    access: "read" | "write",
    names: readonly string[],
    work: (keys: readonly Keys[]) => Promise<T>,
  ): Promise<T> {
    const keys: readonly MaybePromise<Keys>[] | undefined =
      layout() === null ? undefined : names.map(layout()!.keysOf);
    if (keys !== undefined && isSettled(keys)) {
      const claimed = keys.flatMap(({ index, value }) =>
        access === "read" ? [value] : [index, value],
      );
      return turns.run({ [access]: claimed }, () => work(keys));
    }
    // The keys are not known yet: the operation has its turn on all of them.
    return turns.run({ [`${access}Under`]: namespacePrefix(name) }, async () =>
      work(await Promise.all(names.map(layout()!.keysOf))),
    );
  }

  /** Makes changes in one commit where the client has commits. */
  async function apply(changes: readonly Change[]): Promise<void> {
    const { inside } = turns;
    if (inside.supports.atomic !== "no") {
      try {
        await inside.commit([], changes);
        return;
      } catch (error) {
        // In a cluster the records of one key may be in different places: a prefix with a hash tag
        // keeps them together.
        if (!isKvError(error, "KV_CROSS_SLOT")) throw error;
      }
    }
    for (const { key, value, expires } of changes) await inside.set(key, value, { expires });
  }

  const kept = (value: unknown, key: string): Kept | null =>
    value === null ? null : decodeKept(value, key);

  function read(key: string): Promise<Kept | null> {
    return inTurn("read", [key], async ([keys]) =>
      kept(await turns.inside.get(keys!.value), keys!.value),
    );
  }

  function readMany(names: readonly string[]): Promise<(Kept | null)[]> {
    return inTurn("read", names, async (keys) => {
      const values = await turns.inside.getMany(keys.map(({ value }) => value));
      return values.map((value, i) => kept(value, keys[i]!.value));
    });
  }

  function converted(kept: Kept | null, type: unknown): unknown {
    if (kept === null) return null;
    checkType(type, rules);
    return convert(kept.payload, type, rules);
  }

  const described = (kept: Kept | null, value: unknown): ValueWithMetadata<unknown> => ({
    value,
    metadata: kept?.metadata ?? null,
    expiration: kept?.expiration ?? null,
    cacheStatus: null,
  });

  /** Values of many keys, by the keys in their order. */
  async function bulk<T>(
    keys: readonly unknown[],
    typeOrOptions: unknown,
    where: string,
    take: (kept: Kept | null, value: unknown) => T,
  ): Promise<Map<string, T>> {
    const type = typeOf(typeOrOptions, "GET_BULK", rules, where);
    const names = checkKeys(keys, rules);
    const found = await readMany(names);
    if (rules.isWorkers)
      checkTotal(
        found.reduce((sum, kept) => sum + (kept === null ? 0 : asText(kept.payload).length), 0),
        rules,
      );
    return new Map(names.map((key, i) => [key, take(found[i]!, ofBulk(found[i]!, type))]));
  }

  function ofBulk(kept: Kept | null, type: unknown): unknown {
    try {
      return converted(kept, type);
    } catch {
      return rules.refuse(
        "KV_INVALID_VALUE",
        "KV GET_BULK failed: 400 At least one of the requested keys corresponds to a " +
          `non-${String(type)} value`,
      );
    }
  }

  async function get(key: unknown, typeOrOptions?: unknown): Promise<unknown> {
    if (Array.isArray(key)) return bulk(key, typeOrOptions, "get()", (_kept, value) => value);
    const checked = checkKey(key, "GET", rules);
    const type = typeOf(typeOrOptions, "GET", rules, "get()");
    return converted(await read(checked), type);
  }

  /** An item of a bulk read. Workers KV tells less of it than of a single one. */
  function bulkItem(kept: Kept | null, value: unknown): unknown {
    if (!rules.isWorkers) return described(kept, value);
    return value === null ? null : { value, metadata: kept?.metadata ?? null };
  }

  async function getWithMetadata(key: unknown, typeOrOptions?: unknown): Promise<unknown> {
    if (Array.isArray(key)) return bulk(key, typeOrOptions, "getWithMetadata()", bulkItem);
    const checked = checkKey(key, "GET", rules);
    const type = typeOf(typeOrOptions, "GET", rules, "getWithMetadata()");
    const kept = await read(checked);
    return described(kept, converted(kept, type));
  }

  async function put(key: unknown, value: unknown, options?: PutOptions): Promise<void> {
    const checked = checkKey(key, "PUT", rules);
    checkKind(value, rules);
    const given = writingOf(options, rules);
    const head = {
      expiration: expirationOf(given, byDefault, rules),
      metadata: metadataOf(given, rules),
    };
    const pending = payloadOf(value, rules);
    const payload = pending instanceof Promise ? await pending : pending;
    const expires = head.expiration === null ? null : new Date(head.expiration * 1000);
    await inTurn("write", [checked], ([keys]) =>
      // The index first: what can be read is listed, also where only one of the two gets written.
      apply([
        {
          key: keys!.index,
          value: encodeHead(head, layout()!.isShortened(checked) ? checked : null),
          expires,
        },
        {
          key: keys!.value,
          value: encodeKept({ ...head, payload }, records.supports.bytes),
          expires,
        },
      ]),
    );
  }

  async function del(key: unknown): Promise<void> {
    const checked = checkKey(key, "DELETE", rules);
    await inTurn("write", [checked], ([keys]) =>
      apply([
        { key: keys!.value, value: null, expires: null },
        { key: keys!.index, value: null, expires: null },
      ]),
    );
  }

  async function list(options?: unknown): Promise<KeyPage> {
    const listing = listingOf(options, rules);
    return turns.run(
      { readUnder: `${namespacePrefix(name)}k/${layout()?.stem(listing.prefix) ?? ""}` },
      () => page(listing),
    );
  }

  async function page(listing: Listing): Promise<KeyPage> {
    const index = { store: turns.inside, before: prefix, layout: layout()! };
    // One more than asked for tells whether there is another page.
    const found = await namesBehind(
      index,
      listing.prefix,
      cursorPosition(listing, index, rules),
      listing.limit + 1,
    );
    const keys = found
      .slice(0, listing.limit)
      .map(({ name: key, expiration, metadata }): ListedKey => ({
        name: key,
        ...(expiration !== null && { expiration }),
        ...(metadata !== null && { metadata }),
      }));
    if (found.length <= listing.limit) return { keys, list_complete: true, cacheStatus: null };
    return {
      keys,
      list_complete: false,
      cursor: cursorAt(keys.at(-1)!.name, listing, index, rules),
      cacheStatus: null,
    };
  }

  const close = (): Promise<void> => records.close();
  return {
    get: get as Namespace["get"],
    getWithMetadata: getWithMetadata as Namespace["getWithMetadata"],
    put,
    delete: del,
    list: list as Namespace["list"],
    close,
    [Symbol.asyncDispose]: close,
  } as Namespace;
}
