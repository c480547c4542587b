import type { Store } from "../api.ts";
import type { KVNamespaces, KVOptions, ListedKey, Namespace, NamespaceOptions, PutOptions } from "./types.ts";

export type * from "./types.ts";

type Kept = { bytes: Uint8Array; metadata?: unknown; expiration?: number };

/** A first implementation in memory: the interface is the final one. */
export function inMemory(): Namespace {
  const kept = new Map<string, Kept>();
  const find = (key: string): Kept | undefined => {
    const found = kept.get(key);
    return found?.expiration !== undefined && found.expiration * 1000 <= Date.now() ? undefined : found;
  };
  const read = (key: string, type: unknown): unknown => {
    const found = find(key);
    if (found === undefined) return null;
    const as = typeof type === "string" ? type : ((type as { type?: string } | undefined)?.type ?? "text");
    if (as === "arrayBuffer") return found.bytes.slice().buffer;
    if (as === "stream") return new Blob([found.bytes.slice()]).stream();
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(found.bytes);
    return as === "json" ? JSON.parse(text) : text;
  };
  const withMetadata = (key: string, type: unknown): unknown => ({ value: read(key, type), metadata: find(key)?.metadata ?? null, expiration: find(key)?.expiration ?? null, cacheStatus: null });
  const each = (keys: string | string[], work: (key: string) => unknown): unknown => (Array.isArray(keys) ? new Map(keys.map((key) => [key, work(key)])) : work(keys));
  const close = async (): Promise<void> => {};
  return {
    get: async (keys: string | string[], type: unknown) => each(keys, (key) => read(key, type)),
    getWithMetadata: async (keys: string | string[], type: unknown) => each(keys, (key) => withMetadata(key, type)),
    async put(key: string, value: unknown, { expiration, expirationTtl, metadata }: PutOptions = {}) {
      let bytes: Uint8Array;
      if (value instanceof ArrayBuffer) bytes = new Uint8Array(value.slice(0));
      else if (ArrayBuffer.isView(value)) bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice();
      else if (value instanceof ReadableStream) bytes = new Uint8Array(await new Response(value).arrayBuffer());
      else bytes = new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
      const at = expiration ?? (typeof expirationTtl === "number" ? Math.floor(Date.now() / 1000) + expirationTtl : undefined);
      kept.set(key, { bytes, ...(metadata !== undefined && metadata !== null && { metadata }), ...(at !== undefined && { expiration: at }) });
    },
    async delete(key: string) {
      kept.delete(key);
    },
    async list({ prefix, limit, cursor }: { prefix?: string; limit?: number; cursor?: string } = {}) {
      const names = [...kept.keys()].filter((key) => find(key) !== undefined && key.startsWith(prefix ?? "") && key > (cursor ?? "")).sort();
      const page = names.slice(0, limit ?? 1000);
      const keys = page.map((name): ListedKey => {
        const { bytes: _, ...rest } = find(name)!;
        return { name, ...rest };
      });
      return page.length < names.length ? { keys, list_complete: false, cursor: page.at(-1)!, cacheStatus: null } : { keys, list_complete: true, cacheStatus: null };
    },
    close,
    [Symbol.asyncDispose]: close,
  } as unknown as Namespace;
}

/** Namespaces over a store, or over the default one. */
export function createKV(_options: KVOptions = {}): KVNamespaces {
  const namespaces = new Map<string, Namespace>();
  const close = async (): Promise<void> => {};
  return {
    namespace: (name: string) => namespaces.get(name) ?? namespaces.set(name, inMemory()).get(name)!,
    storage: "MEMORY",
    close,
    [Symbol.asyncDispose]: close,
  } as unknown as KVNamespaces;
}

/** One namespace over a store. */
export function namespace(_store: Store, name: string, options: NamespaceOptions = {}): Namespace {
  return createKV(options).namespace(name);
}

/** The default namespaces. */
export const KV: KVNamespaces = createKV();
