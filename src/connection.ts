import type { Source } from "./clients/define.ts";
import { blame, KvError } from "./errors.ts";
import type { Adapter } from "./types.ts";

/** Every method of an adapter, and the words for it in a message. `iterate` is missing: its failures come while it runs. */
const ACTIONS: { readonly [name in Exclude<keyof Adapter, "iterate">]: string } = {
  get: "read",
  set: "write",
  del: "delete",
  page: "list",
  has: "look up",
  getMany: "read many",
  setMany: "write many",
  clear: "clear",
  prune: "prune",
  commit: "commit",
  close: "close",
  touch: "touch",
  add: "add",
  keys: "list",
  values: "list",
  entries: "list",
};

type Method = (this: Adapter, ...args: unknown[]) => unknown;

/** The same adapter, whose failures are all of our class. */
function guarded(adapter: Adapter, type: string): Adapter {
  const guard: { [name: string]: unknown } = { ...adapter };
  for (const [name, action] of Object.entries(ACTIONS)) {
    const method = adapter[name as keyof Adapter] as Method | undefined;
    if (method === undefined) continue;
    const fail = (error: unknown, key: unknown): never => {
      throw blame(error, type, action, typeof key === "string" && key !== "" ? key : undefined);
    };
    // No method takes more than three; a rest parameter would cost each read an array.
    guard[name] = (a: unknown, b: unknown, c: unknown) => {
      try {
        const result = method.call(adapter, a, b, c);
        return result instanceof Promise ? result.catch((error) => fail(error, a)) : result;
      } catch (error) {
        return fail(error, a);
      }
    };
  }
  return guard as unknown as Adapter;
}

/** One client and its adapter, shared by all stores over it: opened by the first operation, closed once. */
export class Connection {
  /** Known at once, unless the client is a promise. */
  source: Source;
  /** The adapter while the connection is open: lets operations go on without waiting. */
  adapter: Adapter | null = null;
  readonly #start: () => Source | Promise<Source>;
  #opening: Promise<Adapter> | null = null;
  #closing: Promise<void> | null = null;

  constructor(source: Source, start: () => Source | Promise<Source> = () => source) {
    this.source = source;
    this.#start = start;
  }

  /** @throws {KvError} KV_CLOSED after `close()`; KV_CONNECTION when the client cannot be opened (the next call tries again). */
  open(): Promise<Adapter> {
    if (this.#closing !== null) return Promise.reject(new KvError("KV_CLOSED", "this store was closed: make a new one with kv()", { client: this.source.type }));
    return (this.#opening ??= this.#open());
  }

  async #open(): Promise<Adapter> {
    try {
      this.source = await this.#start();
      const adapter = guarded(await this.source.open(), this.source.type);
      if (this.#closing === null) this.adapter = adapter;
      return adapter;
    } catch (error) {
      this.#opening = null;
      throw blame(error, this.source.type, "connect");
    }
  }

  /** Ends the connection; a second call waits for the first. */
  close(): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const opening = this.open();
    this.adapter = null;
    return (this.#closing = opening.then(
      (adapter) => adapter.close?.(),
      // What could not be opened needs no closing; its operations have said why.
      () => undefined,
    ));
  }
}
