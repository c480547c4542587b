import type {
  Key,
  KeyPart,
  Selector,
  VersionedListOptions,
  VersionedStore,
} from "../../../src/versioned/index.ts";

/** An entry as both contracts know it. */
export interface Found {
  readonly key: readonly KeyPart[];
  readonly value: unknown;
  readonly version: string | null;
}

/** A listing of either. */
export interface Listing {
  next(): Promise<{ done?: boolean | undefined; value: Found | undefined }>;
  readonly cursor: string;
}

/** A change of a transaction; a counter is a bigint. */
export type Change =
  | readonly ["set", Key, unknown]
  | readonly ["delete", Key]
  | readonly ["sum" | "min" | "max", Key, bigint];

/** What Deno KV and the versioned store have in common, under one set of names. */
export interface OracleApi {
  get(key: Key): Promise<Found>;
  getMany(keys: readonly Key[]): Promise<Found[]>;
  set(key: Key, value: unknown): Promise<string>;
  delete(key: Key): Promise<unknown>;
  list(selector: Selector, options?: VersionedListOptions): Listing;
  commit(
    checks: readonly { key: Key; version: string | null }[],
    changes: readonly Change[],
  ): Promise<{ ok: boolean; version?: string }>;
  watch(keys: readonly Key[]): ReadableStream<Found[]>;
  close(): unknown;
}

/** Ours. */
export function oracleApiOf(store: VersionedStore): OracleApi {
  return {
    ...store,
    set: async (key, value) => (await store.set(key, value)).version,
    list: (selector, options) => store.list(selector, options) as Listing,
    commit(checks, changes) {
      const transaction = store.atomic().check(...checks);
      for (const [name, key, value] of changes) transaction[name](key, value as never);
      return transaction.commit();
    },
    watch: (keys) => store.watch(keys, { interval: "10ms" }),
  };
}

interface Stamped {
  readonly key: KeyPart[];
  readonly value: unknown;
  readonly versionstamp: string | null;
}

/** The part of Deno's own that is used. */
export interface DenoDatabase {
  get(key: Key): Promise<Stamped>;
  getMany(keys: readonly Key[]): Promise<Stamped[]>;
  set(key: Key, value: unknown): Promise<{ versionstamp: string }>;
  delete(key: Key): Promise<void>;
  list(
    selector: Selector,
    options?: VersionedListOptions,
  ): { next(): Promise<{ done?: boolean; value: Stamped | undefined }>; cursor: string };
  atomic(): {
    check(check: { key: Key; versionstamp: string | null }): unknown;
    commit(): Promise<{ ok: boolean; versionstamp?: string }>;
  } & { [name in Change[0]]: (key: Key, value?: unknown) => unknown };
  watch(keys: readonly Key[]): ReadableStream<Stamped[]>;
  close(): void;
}

/** Deno's own. `U64` is its class of counters. */
export function denoFace(db: DenoDatabase, U64: new (value: bigint) => object): OracleApi {
  const given = (value: unknown): unknown => (typeof value === "bigint" ? new U64(value) : value);
  const found = ({ key, value, versionstamp }: Stamped): Found => ({
    key,
    value: value instanceof U64 ? (value as unknown as { value: bigint }).value : value,
    version: versionstamp,
  });
  return {
    get: async (key) => found(await db.get(key)),
    getMany: async (keys) => (await db.getMany(keys)).map(found),
    set: async (key, value) => (await db.set(key, given(value))).versionstamp,
    delete: (key) => db.delete(key),
    list(selector, options) {
      const list = db.list(selector, options);
      return {
        async next() {
          const { done, value } = await list.next();
          return { done, value: value && found(value) };
        },
        get cursor() {
          return list.cursor;
        },
      };
    },
    commit(checks, changes) {
      const atomic = db.atomic();
      for (const { key, version } of checks) atomic.check({ key, versionstamp: version });
      for (const [name, key, value] of changes)
        atomic[name](key, name === "set" ? given(value) : value);
      return atomic
        .commit()
        .then(({ ok, versionstamp }) => (ok ? { ok, version: versionstamp! } : { ok }));
    },
    watch: (keys) =>
      db.watch(keys).pipeThrough(
        new TransformStream({
          transform: (entries, controller) => controller.enqueue(entries.map(found)),
        }),
      ),
    close: () => db.close(),
  };
}
