/** A binding, as far as tests need to look below the library. */
export interface RawKv {
  get(key: string): Promise<string | null>;
  put(
    key: string,
    value: string,
    options?: { expirationTtl?: number; metadata?: unknown },
  ): Promise<void>;
  delete(key: string): Promise<void>;
  list(options?: { prefix?: string; cursor?: string }): Promise<{
    keys: { name: string; expiration?: number; metadata?: unknown }[];
    list_complete: boolean;
    cursor?: string;
  }>;
}

/** Deletes everything in a namespace. */
export async function emptied<Kv extends RawKv>(binding: Kv): Promise<Kv> {
  for (let cursor: string | undefined; ;) {
    const {
      keys,
      list_complete: isLast,
      cursor: next,
    } = await binding.list(cursor === undefined ? {} : { cursor });
    await Promise.all(keys.map(({ name }) => binding.delete(name)));
    if (isLast) return binding;
    cursor = next;
  }
}
