/** A client of one's own that keeps bare values: it has no versions, so nothing can be compared. */
export function plainClient(): {
  EXPIRES: true;
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  del(key: string): void;
} {
  const data = new Map<string, unknown>();
  return {
    EXPIRES: true,
    get: (key) => data.get(key),
    set: (key, value) => void data.set(key, value),
    del: (key) => void data.delete(key),
  };
}

/** A client of one's own whose answers are all errors while `isDown`. */
export function failingClient(): { isDown: boolean } & object {
  const data = new Map<string, unknown>();
  const client = {
    isDown: true,
    async get(key: string): Promise<unknown> {
      if (client.isDown) throw new Error("the client is down");
      return data.get(key);
    },
    async set(key: string, value: unknown): Promise<void> {
      if (client.isDown) throw new Error("the client is down");
      data.set(key, value);
    },
    async del(key: string): Promise<void> {
      if (client.isDown) throw new Error("the client is down");
      data.delete(key);
    },
  };
  return client;
}
