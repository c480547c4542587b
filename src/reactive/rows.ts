import { KvError } from "../errors.ts";
import type { Backend, Connect } from "./backend.ts";
import type { KVEvent, KVOperation, KVStore } from "./types.ts";

/** A change of a row that is not known to be stored. */
interface Write extends KVOperation {
  value: unknown;
  isBeginning: boolean;
  resolve(): void;
  reject(error: Error): void;
}

function writeOf(): Omit<Write, "value" | "isBeginning"> {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  // Nobody has to ask.
  promise.catch(() => {});
  return { resolve, reject, promise: () => promise };
}

/** Calls a function of the user: what it throws is reported, and does not stop us half-way. */
export function reportErrors(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Calls those who listen now and still do: not who is added by one of them. */
export function each<T>(listeners: Set<T>, call: (listener: T) => void): void {
  for (const listener of [...listeners])
    if (listeners.has(listener)) reportErrors(() => call(listener));
}

/** Who has states over the rows. */
export interface Owner {
  /** Puts what has changed. */
  collect(): void;
  /** The rows are loaded. */
  loaded(): void;
  /** They could not be loaded; what is put is kept until they can. */
  failed(error: Error): void;
  /** The last change of a row is stored; with an error it was refused, and the row is as before. */
  stored(key: string, error?: Error): void;
  /** A row was changed elsewhere; `undefined` when it was removed. */
  changed(key: string, value: unknown): void;
  /** The keys whose values matter. */
  used(): string[];
}

/** Rows in memory as they will be, and the way from there to where they are kept. */
export interface Rows extends Pick<
  KVStore,
  "status" | "error" | "busy" | "get" | "subscribe" | "promise" | "completed" | "close"
> {
  /** Writes what waits now, and does not say how that ends. */
  flush(): Promise<unknown>;
  /** Writes a value that nobody changes any more, with the next flush; `undefined` deletes. */
  put(key: string, value: unknown): KVOperation;
  /** Writes a value where there is none. */
  begin(key: string, value: unknown): KVOperation;
  /**
   * Looks for what others have made of a row, where nobody tells of it; `completed()` waits for
   * that.
   */
  look(key: string): Promise<unknown> | undefined;
  /** Has `collect()` called before long. */
  schedule(): void;
}

/**
 * The rows of a backend, which is connected by their first use. `ended` is called when they are
 * closed.
 */
export function rowsOf(connect: Connect, delay: number, ended: () => void, owner: Owner): Rows {
  const stored = new Map<string, unknown>();
  /** The last change of each row that is not known to be stored; of these `queue` has not begun. */
  const ahead = new Map<string, Write>();
  let queue = new Map<string, Write>();
  const running = new Set<Promise<Error | undefined>>();
  const listeners = new Set<(event: KVEvent) => void>();
  let backend: Backend | undefined;
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let isOpen = false;
  let isClosed = false;
  let error: Error | undefined;
  let looking: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const emit = (event: KVEvent): void => {
    each(listeners, (listener) => listener(event));
  };
  const emitRow = (key: string, value: unknown): void =>
    emit(value === undefined ? { type: "delete", key } : { type: "set", key, value });

  function keep(key: string, value: unknown): void {
    if (value === undefined) stored.delete(key);
    else stored.set(key, value);
  }

  const get = (key: string): unknown => (ahead.get(key) ?? { value: stored.get(key) }).value;

  /** A row was changed elsewhere. */
  function heard(key: string, value: unknown): void {
    keep(key, value);
    // What is written from here comes later, and wins.
    if (!ahead.has(key)) owner.changed(key, value);
    emitRow(key, value);
  }

  // Writing

  function settle(key: string, write: Write, reason?: Error): void {
    if (!reason) keep(key, write.value);
    if (ahead.get(key) === write) {
      ahead.delete(key);
      owner.stored(key, reason);
    }
    if (reason) return write.reject(reason);
    write.resolve();
    emitRow(key, write.value);
  }

  /** Begins to write what waits. */
  function send(): void {
    owner.collect();
    clearTimeout(timer);
    timer = undefined;
    if (!isOpen || queue.size === 0) return;
    const batch = [...queue];
    queue = new Map();
    const changes = batch.map(
      ([key, { value, isBeginning }]) => [key, value, isBeginning] as const,
    );
    const isLast = (i: number): boolean => ahead.get(batch[i]![0]) === batch[i]![1];
    const work = backend!
      .write(changes, isLast, (i, reason) => settle(...batch[i]!, reason))
      .then(
        () => undefined,
        (reason: Error) => reason,
      );
    running.add(work);
    void work.then(() => running.delete(work));
  }

  function schedule(): void {
    timer ??= setTimeout(flush, delay);
  }

  function put(key: string, value: unknown, isBeginning = false): Write {
    // One that waits already ends with this one.
    const write = Object.assign(queue.get(key) ?? writeOf(), { value, isBeginning });
    ahead.set(key, write);
    if (isClosed) settle(key, write, error);
    else {
      queue.set(key, write);
      schedule();
    }
    return write;
  }

  async function completed(): Promise<true> {
    send();
    await (isOpen ? looking : open());
    let refusal: Error | undefined;
    for (send(); running.size > 0; send())
      for (const reason of await Promise.all(running)) refusal ??= reason;
    if (refusal) throw refusal;
    return true;
  }

  // The states say so.
  const flush = (): Promise<unknown> => completed().catch(() => {});

  // Loading

  async function load(): Promise<void> {
    backend ??= await connect({ used: owner.used, known: (key) => stored.get(key), heard, send });
    for (const [key, value] of await backend.load()) {
      stored.set(key, value);
      const write = queue.get(key);
      if (!write?.isBeginning) continue;
      queue.delete(key);
      ahead.delete(key);
    }
    isOpen = true;
    error = undefined;
    owner.loaded();
    emit({ type: "open" });
    send();
  }

  /** What waits goes on waiting for the next attempt; who asked for it is told. */
  function failed(reason: Error): never {
    opening = undefined;
    error = reason;
    for (const [key, write] of queue) {
      const again = { ...write, ...writeOf() };
      queue.set(key, again);
      ahead.set(key, again);
      write.reject(error);
    }
    owner.failed(error);
    emit({ type: "closed" });
    throw error;
  }

  function open(): Promise<void> {
    if (isClosed) return Promise.reject(error!);
    return (opening ??= load().catch(failed));
  }

  async function close(): Promise<void> {
    ended();
    await flush();
    isClosed = true;
    isOpen = false;
    error = new KvError("KV_CLOSED", "this store was closed");
    for (const [key, write] of queue) settle(key, write, error);
    await backend?.close();
    emit({ type: "closed" });
  }

  return {
    get status() {
      return isClosed ? "closed" : isOpen ? "open" : opening ? "init" : error ? "closed" : "idle";
    },
    get error() {
      return error;
    },
    get busy() {
      return timer !== undefined || running.size > 0 || (!isOpen && opening !== undefined);
    },
    get,
    put,
    schedule,
    look: (key) => (looking = isOpen ? backend!.look(key) : undefined),
    // After a change from here, such as a removal, there is nothing to give way to.
    begin: (key, value) => put(key, value, !ahead.has(key)),
    flush,
    completed,
    promise: () =>
      open().then(
        () => ({ type: "open" }),
        () => ({ type: "closed" }),
      ),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => (closing ??= close()),
  };
}
