// Compiled by the type-check alone: every client of the readme is taken as its own package types
// it, by kv() and by its factory.
import { openKv } from "@deno/kv";
import { PGlite } from "@electric-sql/pglite";
import { Etcd3 } from "etcd3";
import { Cluster, Redis } from "ioredis";
import { Cluster as Cluster6, Redis as Redis6 } from "ioredis6";
import Keyv from "keyv";
import Keyv5 from "keyv5";
import { LRUCache } from "lru-cache";
import pg from "pg";
import { createClient, createClientPool, createCluster, createSentinel } from "redis";
import { createClient as createClient4, createCluster as createCluster4 } from "redis4";
import {
  createClient as createClient5,
  createClientPool as createClientPool5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from "redis5";
import { createStorage } from "unstorage";
import kv, { type Json, type Store } from "anykv";
import { cloudflare } from "anykv/clients/cloudflare";
import { deno } from "anykv/clients/deno";
import { etcd } from "anykv/clients/etcd";
import { keyv } from "anykv/clients/keyv";
import { lru } from "anykv/clients/lru";
import { postgres } from "anykv/clients/postgres";
import { redis } from "anykv/clients/redis";
import { unstorage } from "anykv/clients/unstorage";

// What Deno itself says of its databases: its keys may have symbols in them.
type OwnKey = readonly (Uint8Array | string | number | bigint | boolean | symbol)[];
type OwnEntry<T> =
  | { key: OwnKey; value: T; versionstamp: string }
  | { key: OwnKey; value: null; versionstamp: null };
declare class OwnAtomic {
  check(...checks: { key: OwnKey; versionstamp: string | null }[]): this;
  set(key: OwnKey, value: unknown, options?: { expireIn?: number }): this;
  delete(key: OwnKey): this;
  commit(): Promise<{ ok: true; versionstamp: string } | { ok: false }>;
}
declare class OwnIterator<T> implements AsyncIterableIterator<{
  key: OwnKey;
  value: T;
  versionstamp: string;
}> {
  get cursor(): string;
  next(): Promise<IteratorResult<{ key: OwnKey; value: T; versionstamp: string }, undefined>>;
  [Symbol.asyncIterator](): AsyncIterableIterator<{ key: OwnKey; value: T; versionstamp: string }>;
}
declare const own: {
  get<T = unknown>(
    key: OwnKey,
    options?: { consistency?: "strong" | "eventual" },
  ): Promise<OwnEntry<T>>;
  getMany<T extends readonly unknown[]>(
    keys: readonly [...{ [K in keyof T]: OwnKey }],
    options?: { consistency?: "strong" | "eventual" },
  ): Promise<{ [K in keyof T]: OwnEntry<T[K]> }>;
  set(
    key: OwnKey,
    value: unknown,
    options?: { expireIn?: number },
  ): Promise<{ ok: true; versionstamp: string }>;
  delete(key: OwnKey): Promise<void>;
  list<T = unknown>(
    selector:
      | { prefix: OwnKey }
      | { prefix: OwnKey; start: OwnKey }
      | { prefix: OwnKey; end: OwnKey }
      | { start: OwnKey; end: OwnKey },
    options?: {
      limit?: number;
      cursor?: string;
      reverse?: boolean;
      consistency?: "strong" | "eventual";
      batchSize?: number;
    },
  ): OwnIterator<T>;
  atomic(): OwnAtomic;
  close(): void;
};

// What the types of Cloudflare say of a namespace.
interface ListedKey<Metadata> {
  name: string;
  expiration?: number;
  metadata?: Metadata;
}
type ListResult<Metadata> =
  | {
      list_complete: false;
      keys: ListedKey<Metadata>[];
      cursor: string;
      cacheStatus: string | null;
    }
  | { list_complete: true; keys: ListedKey<Metadata>[]; cacheStatus: string | null };
declare const worker: {
  get(key: string, options?: { cacheTtl?: number }): Promise<string | null>;
  get(key: string, type: "text"): Promise<string | null>;
  get<Value = unknown>(key: string, type: "json"): Promise<Value | null>;
  get(key: string[], type: "text"): Promise<Map<string, string | null>>;
  get(
    key: string[],
    options?: { type?: "text"; cacheTtl?: number },
  ): Promise<Map<string, string | null>>;
  list<Metadata = unknown>(options?: {
    limit?: number;
    prefix?: string | null;
    cursor?: string | null;
  }): Promise<ListResult<Metadata>>;
  put(
    key: string,
    value: string | ArrayBuffer | ArrayBufferView | ReadableStream,
    options?: { expiration?: number; expirationTtl?: number; metadata?: unknown },
  ): Promise<void>;
  getWithMetadata<Metadata = unknown>(
    key: string,
    type: "text",
  ): Promise<{ value: string | null; metadata: Metadata | null; cacheStatus: string | null }>;
  getWithMetadata<Metadata = unknown>(
    key: string[],
    type: "text",
  ): Promise<
    Map<string, { value: string | null; metadata: Metadata | null; cacheStatus: string | null }>
  >;
  getWithMetadata<Metadata = unknown>(
    key: string,
    options?: { type?: "text"; cacheTtl?: number },
  ): Promise<{ value: string | null; metadata: Metadata | null; cacheStatus: string | null }>;
  delete(key: string): Promise<void>;
};

const sentinels = { name: "main", sentinelRootNodes: [{ host: "127.0.0.1", port: 26379 }] };
const rootNodes = [{ url: "redis://127.0.0.1:7000" }];

export async function clients(): Promise<void> {
  const stores: Store<Json>[] = [
    kv(createClient()),
    kv(redis(createClient())),
    kv(redis(createClient({ RESP: 2, url: "redis://127.0.0.1" }))),
    kv(redis(await createClient().connect())),
    kv(createClientPool()),
    kv(redis(createClientPool())),
    kv(createCluster({ rootNodes })),
    kv(redis(createCluster({ rootNodes }))),
    kv(createSentinel(sentinels)),
    kv(redis(createSentinel(sentinels))),
    kv(createClient5()),
    kv(redis(createClient5())),
    kv(redis(createClientPool5())),
    kv(redis(createCluster5({ rootNodes }))),
    kv(redis(createSentinel5(sentinels))),
    kv(createClient4()),
    kv(redis(createClient4())),
    kv(redis(createCluster4({ rootNodes }))),
    kv(new Redis()),
    kv(redis(new Redis())),
    kv(new Redis6()),
    kv(redis(new Redis6())),
    kv(new Cluster([])),
    kv(redis(new Cluster([]))),
    kv(new Cluster6([])),
    kv(redis(new Cluster6([]))),
  ];

  const pool = new pg.Pool();
  stores.push(kv(pool), kv(postgres(pool)), kv(postgres(pool, { table: "kv" })));
  stores.push(kv(new pg.Client()), kv(postgres(new pg.Client())));
  stores.push(kv(await pool.connect()), kv(postgres(await pool.connect())));
  stores.push(kv(new PGlite()), kv(postgres(new PGlite())), kv(postgres(await PGlite.create())));

  stores.push(
    kv(new Etcd3()),
    kv(etcd(new Etcd3())),
    kv(etcd(new Etcd3({ hosts: ["127.0.0.1:2379"] }))),
  );
  stores.push(kv(new Etcd3().namespace("x/")), kv(etcd(new Etcd3().namespace("x/"))));

  stores.push(
    kv(new Keyv()),
    kv(keyv(new Keyv())),
    kv(keyv(new Keyv({ namespace: "x" }))),
    kv(keyv(new Keyv<string>())),
  );
  stores.push(kv(new Keyv5()), kv(keyv(new Keyv5())), kv(keyv(new Keyv5({ namespace: "x" }))));
  stores.push(
    kv(createStorage()),
    kv(unstorage(createStorage())),
    kv(unstorage(createStorage<string>())),
    kv(unstorage(createStorage(), { base: "x" })),
  );

  const max = { max: 100 };
  stores.push(
    kv(new LRUCache<string, string>(max)),
    kv(lru(new LRUCache<string, string>(max))),
    kv(lru(new LRUCache<string, object>(max))),
    kv(lru(new LRUCache<string, Json & {}>(max))),
  );

  stores.push(
    kv(await openKv()),
    kv(deno(await openKv())),
    kv(deno(await openKv(), { prefix: ["x", 1, true, 1n, new Uint8Array()] })),
  );

  stores.push(kv(own), kv(deno(own)), kv(worker), kv(cloudflare(worker)));

  for (const store of stores) await store.close();
}

export function refused(): void {
  // @ts-expect-error A Map is no client of Redis.
  redis(new Map());
  // @ts-expect-error A Redis client is none of etcd.
  etcd(createClient());
  // @ts-expect-error A table is named by a text.
  postgres(new pg.Pool(), { table: 5 });
}
