import { type Items, type ItemWrite, KEPT_MS, UNREADABLE } from "../shared/items.ts";

/** The part of a Keyv (5 or 6) that is used. */
export interface KeyvLike {
  readonly store: unknown;
  readonly namespace?: string | undefined;
  on(event: "error", listener: (error: unknown) => void): unknown;
  disconnect(): Promise<unknown>;
  // Keyv 6
  encode?(data: { value: unknown }): Promise<unknown>;
  readonly serialization?: { parse(text: string): unknown } | undefined;
  readonly compression?: { decompress(text: string): string | Promise<string> } | undefined;
  readonly encryption?: { decrypt(text: string): string | Promise<string> } | undefined;
  // Keyv 5
  serializeData?(data: { value: unknown; expires: number | undefined }): Promise<unknown>;
  deserializeData?(data: never): Promise<unknown>;
  readonly useKeyPrefix?: boolean;
  readonly opts?: { emitErrors?: boolean | undefined };
}

/** The storage of a Keyv: an adapter (their answers differ), or a Map. */
interface KeyvStore {
  get(key: string): unknown;
  set(key: string, item: unknown, deadline?: number): unknown;
  delete(key: string): unknown;
  getMany?(keys: readonly string[]): Promise<readonly unknown[]>;
  setMany?(entries: readonly object[]): Promise<unknown>;
  deleteMany?(keys: readonly string[]): Promise<unknown>;
  iterator?(namespace?: string): AsyncIterable<[string, unknown]>;
  entries?(): Iterable<[string, unknown]>;
  on?(event: "error", listener: (error: unknown) => void): unknown;
}

// Namespace and key are joined by two colons. No key that anykv writes has two colons in a row or
// one in front, so that none reads like one of another namespace.
const escapeKey = (key: string): string => key.replace(/(^|:)(~*)(?=:)/g, "$1~$2");
const unescapeKey = (key: string): string => key.replace(/(^|:)~(~*)(?=:)/g, "$1$2");

/**
 * The store inside a Keyv, its items decoded: under the methods of Keyv itself, which turn failures
 * into "not found" and mix keys up.
 */
export class KeyvItems implements Items {
  readonly #keyv: KeyvLike;
  #failures = 0;
  #failure: unknown;

  constructor(keyv: KeyvLike) {
    this.#keyv = keyv;
    const listener = (error: unknown): void => {
      this.#failures++;
      this.#failure = error;
    };
    // Some stores tell of a failure by this event alone; Keyv throws it at the emitter when there
    // is no listener.
    if (keyv.opts?.emitErrors === false) this.#store.on?.("error", listener);
    else keyv.on("error", listener);
  }

  get #store(): KeyvStore {
    return this.#keyv.store as KeyvStore;
  }

  get #isV6(): boolean {
    return this.#keyv.encode !== undefined;
  }

  /** The prefix of a namespace in Keyv 5; the stores of Keyv 6 add it themselves. */
  get #before(): string {
    const { namespace, useKeyPrefix } = this.#keyv;
    return this.#isV6 || useKeyPrefix === false || !namespace ? "" : `${namespace}::`;
  }

  /**
   * Runs some work. Throws an error that the store emits meanwhile, if the result may come from it.
   */
  async #watched<T>(
    work: () => T,
    isDoubtful: (result: Awaited<T>) => boolean = () => true,
  ): Promise<Awaited<T>> {
    const before = this.#failures;
    const result = await work();
    if (this.#failures > before && isDoubtful(result)) throw this.#failure;
    return result;
  }

  async read(keys: readonly string[]): Promise<unknown[]> {
    const store = this.#store;
    const physical = keys.map((key) => this.#before + escapeKey(key));
    const isMissing = (item: unknown): boolean => item === undefined || item === null;
    const found = await this.#watched(
      () =>
        physical.length > 1 && typeof store.getMany === "function"
          ? store.getMany(physical)
          : Promise.all(physical.map((key) => store.get(key))),
      (items) => items.some(isMissing),
    );
    return Promise.all(found.map((item) => this.#decode(item)));
  }

  async write(writes: readonly ItemWrite[]): Promise<void> {
    const store = this.#store;
    const isGone = ({ item, expires }: ItemWrite): boolean =>
      item === undefined || item === null || (expires !== null && expires + KEPT_MS <= Date.now());
    const removed = writes.filter(isGone).map(({ key }) => this.#before + escapeKey(key));
    const entries = await Promise.all(
      writes.filter((write) => !isGone(write)).map((write) => this.#entry(write)),
    );
    await this.#watched(async () => {
      if (removed.length > 1 && typeof store.deleteMany === "function")
        await store.deleteMany(removed);
      else await Promise.all(removed.map((key) => store.delete(key)));
      const setOne = ({ key, value, deadline }: Entry): unknown => store.set(key, value, deadline);
      const stored =
        entries.length > 1 && typeof store.setMany === "function"
          ? await store.setMany(
              entries.map(({ key, value, deadline }) => ({
                key,
                value,
                ...(deadline !== undefined && { [this.#isV6 ? "expires" : "ttl"]: deadline }),
              })),
            )
          : await Promise.all(entries.map(setOne));
      if (stored === false || (Array.isArray(stored) && stored.includes(false)))
        throw this.#failure ?? new Error("the store of this Keyv refused to write");
    });
  }

  async *list(prefix: string): AsyncGenerator<[string, unknown], void, undefined> {
    const store = this.#store;
    const before = this.#before;
    const namespace = this.#isV6 ? undefined : this.#keyv.namespace;
    const source =
      typeof store.iterator === "function" ? store.iterator(namespace) : store.entries!();
    const failures = this.#failures;
    // Some stores come past a key twice, among others a Map in which it was deleted and set again.
    const seen = new Set<string>();
    for await (const [physical, item] of source) {
      if (typeof physical !== "string" || !physical.startsWith(before)) continue;
      const escaped = physical.slice(before.length);
      const key = unescapeKey(escaped);
      if (!key.startsWith(prefix) || seen.has(key) || escapeKey(key) !== escaped) continue;
      seen.add(key);
      yield [key, await this.#decode(item)];
    }
    if (this.#failures > failures) throw this.#failure;
  }

  async close(): Promise<void> {
    await this.#keyv.disconnect();
  }

  async #entry({ key, item, expires }: ItemWrite): Promise<Entry> {
    const { encode, serializeData } = this.#keyv;
    const until = expires === null ? undefined : expires + KEPT_MS;
    const physical = this.#before + escapeKey(key);
    if (encode !== undefined)
      return {
        key: physical,
        value: await encode.call(this.#keyv, { value: item }),
        deadline: until,
      };
    return {
      key: physical,
      value: await serializeData!.call(this.#keyv, { value: item, expires: until }),
      deadline: until && until - Date.now(),
    };
  }

  /**
   * The text of an item. Unlike Keyv it does not report an item that it cannot decode: that is a
   * foreign item.
   */
  async #decode(item: unknown): Promise<unknown> {
    if (item === undefined || item === null) return undefined;
    try {
      const data =
        typeof item === "string"
          ? await (this.#isV6 ? this.#decoded(item) : this.#keyv.deserializeData!(item as never))
          : item;
      return (data as { value?: unknown } | null)?.value ?? UNREADABLE;
    } catch {
      return UNREADABLE;
    }
  }

  async #decoded(item: string): Promise<unknown> {
    const { serialization, compression, encryption } = this.#keyv;
    let text = item;
    if (encryption !== undefined) text = await encryption.decrypt(text);
    if (compression !== undefined) text = await compression.decompress(text);
    return serialization?.parse(text);
  }
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  /** The moment for Keyv 6, the time left for Keyv 5; in milliseconds. */
  readonly deadline: number | undefined;
}
