import type { Adapter } from "../clients/adapter.ts";
import { KvError } from "../errors.ts";
import { fullKey } from "../prefix.ts";
import { bytesToBase64url } from "../record/bytes.ts";
import type { StoreContext } from "../store/context.ts";
import { utf8 } from "../store/envelope.ts";
import { guard } from "../store/guarded.ts";
import { inOrder } from "../store/perform.ts";
import { pruneAll, sweep, sweptBy } from "../store/sweep.ts";
import type { MaybePromise } from "../types.ts";

/** Names keys by their HMAC-SHA-256. */
export class KeyHash {
  readonly #key: () => Promise<CryptoKey>;
  readonly #context: StoreContext;

  constructor(key: () => Promise<CryptoKey>, context: StoreContext) {
    this.#key = key;
    this.#context = context;
  }

  /** The key that the client sees: the prefix of the store underneath, and the hash. */
  readonly of = async (key: string): Promise<string> => {
    const { prefix, connection } = this.#context;
    const hash = new Uint8Array(await crypto.subtle.sign("HMAC", await this.#key(), utf8(key)));
    return fullKey(prefix, bytesToBase64url(hash), connection.source.supports.keyBytes);
  };
}

const cannotList = (): never => {
  throw new KvError(
    "KV_NOT_SUPPORTED",
    "this store keeps hashes in place of its keys (hashKeys), so it cannot list or clear them",
  );
};

/** Calls the client with hashes. The calls take their turn among those of other stores over it. */
class HashedCalls {
  readonly #context: StoreContext;
  readonly #hash: KeyHash;
  readonly #inner: () => Adapter;

  constructor(inner: () => Adapter, context: StoreContext, hash: KeyHash) {
    this.#inner = inner;
    this.#context = context;
    this.#hash = hash;
  }

  async many<T>(
    scope: "read" | "write",
    keys: readonly string[],
    work: (adapter: Adapter, hashes: readonly string[]) => MaybePromise<T>,
  ): Promise<T> {
    const hashes = await Promise.all(keys.map(this.#hash.of));
    // Throws for a store that was closed meanwhile.
    this.#inner();
    return inOrder(this.#context, { [scope]: hashes }, (adapter) => work(adapter, hashes));
  }

  one<T>(
    scope: "read" | "write",
    key: string,
    work: (adapter: Adapter, hash: string) => MaybePromise<T>,
  ): Promise<T> {
    return this.many(scope, [key], (adapter, [hash]) => work(adapter, hash!));
  }

  /** A hash does not tell the prefix of its key: all expired records of the store go. */
  async prune(limit: number): Promise<number> {
    const { connection, prefix, timeout } = this.#context;
    if (limit === Infinity)
      return pruneAll(sweptBy(this.#context, guard(connection, this.#inner(), timeout)), prefix);
    await sweep(connection, timeout);
    return 0;
  }
}

/** The methods that a client may lack. */
const onMany = (
  opened: Adapter,
  calls: HashedCalls,
): Pick<Adapter, "getMany" | "setMany" | "commit"> => ({
  getMany:
    opened.getMany &&
    ((keys) => calls.many("read", keys, (adapter, hashes) => adapter.getMany!(hashes))),
  setMany:
    opened.setMany &&
    ((writes) => {
      const keys = writes.map(({ key }) => key);
      return calls.many("write", keys, (adapter, hashes) =>
        adapter.setMany!(writes.map(({ record }, i) => ({ key: hashes[i]!, record }))),
      );
    }),
  commit:
    opened.commit &&
    ((checks, writes, now) => {
      const keys = [...checks, ...writes].map(({ key }) => key);
      return calls.many("write", keys, async (adapter, hashes) => {
        const result = await adapter.commit!(
          checks.map(({ version }, i) => ({ key: hashes[i]!, version })),
          writes.map(({ record }, i) => ({ key: hashes[checks.length + i]!, record })),
          now,
        );
        if (result.ok) return result;
        return { ok: false, failed: result.failed.map((hash) => keys[hashes.indexOf(hash)]!) };
      });
    }),
});

/**
 * The adapter of a client whose keys are hashes. Nothing can be listed: hashes have neither
 * prefixes nor the order of the keys.
 */
export function hashedAdapter(inner: () => Adapter, context: StoreContext, hash: KeyHash): Adapter {
  const opened = inner();
  const calls = new HashedCalls(inner, context, hash);
  return {
    deadlines: opened.deadlines,
    get: (key) => calls.one("read", key, (adapter, full) => adapter.get(full)),
    set: (key, record) => calls.one("write", key, (adapter, full) => adapter.set(full, record)),
    del: (key) => calls.one("write", key, (adapter, full) => adapter.del(full)),
    has:
      opened.has &&
      ((key, now) => calls.one("read", key, (adapter, full) => adapter.has!(full, now))),
    touch:
      opened.touch &&
      ((key, expires) => calls.one("write", key, (adapter, full) => adapter.touch!(full, expires))),
    ...onMany(opened, calls),
    iterate: cannotList,
    prune: ({ limit }) => calls.prune(limit),
    replace: () => opened.replace?.(),
  };
}
