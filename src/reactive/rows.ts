import { KvError } from "../errors.ts";
import type { Backend, Connect, Memory } from "./backend.ts";
import { each } from "./listeners.ts";
import { type PendingWrite, Queue } from "./queue.ts";
import type { KVEvent, KVOperation, KVStore } from "./types.ts";

/** The states over the rows. */
export interface Owner {
  /** Puts the changed states. */
  collect(): void;
  /** The rows are loaded. */
  loaded(): void;
  /** The rows could not be loaded. Changes wait until they can. */
  failed(error: Error): void;
  /** The last change of a row is stored. With an error it was refused: the row is as before. */
  stored(key: string, error?: Error): void;
  /** A row was changed elsewhere; `undefined` when it was removed. */
  changed(key: string, value: unknown): void;
  /** The keys whose values matter. */
  used(): string[];
}

/** Rows in memory, which a backend stores. The first use connects the backend. */
export class Rows implements Memory {
  /** Why the backend could not be connected or has ended. */
  error: Error | undefined;
  readonly #connect: Connect;
  readonly #delay: number;
  readonly #ended: () => void;
  readonly #owner: Owner;
  readonly #stored = new Map<string, unknown>();
  readonly #queue = new Queue();
  readonly #running = new Set<Promise<Error | undefined>>();
  readonly #listeners = new Set<(event: KVEvent) => void>();
  #backend: Backend | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #isOpen = false;
  #isClosed = false;
  #looking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `delay` in milliseconds is how long changes wait. `close()` calls `ended`. */
  constructor(connect: Connect, delay: number, ended: () => void, owner: Owner) {
    this.#connect = connect;
    this.#delay = delay;
    this.#ended = ended;
    this.#owner = owner;
  }

  get status(): KVStore["status"] {
    if (this.#isClosed) return "closed";
    if (this.#isOpen) return "open";
    return this.#opening ? "init" : this.error ? "closed" : "idle";
  }

  get busy(): boolean {
    return (
      this.#timer !== undefined ||
      this.#running.size > 0 ||
      (!this.#isOpen && this.#opening !== undefined)
    );
  }

  subscribe(listener: (event: KVEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  // Values

  get(key: string): unknown {
    return (this.#queue.last(key) ?? { value: this.#stored.get(key) }).value;
  }

  used(): string[] {
    return this.#owner.used();
  }

  known(key: string): unknown {
    return this.#stored.get(key);
  }

  heard(key: string, value: unknown): void {
    this.#keep(key, value);
    // A change from here is written later, and wins.
    if (!this.#queue.last(key)) this.#owner.changed(key, value);
    this.#publishRow(key, value);
  }

  /** Looks for unpublished changes of a row by others. `completed()` waits for that. */
  look(key: string): Promise<unknown> | undefined {
    return (this.#looking = this.#isOpen ? this.#backend!.look(key) : undefined);
  }

  #keep(key: string, value: unknown): void {
    if (value === undefined) this.#stored.delete(key);
    else this.#stored.set(key, value);
  }

  #publish(event: KVEvent): void {
    each(this.#listeners, (listener) => listener(event));
  }

  #publishRow(key: string, value: unknown): void {
    this.#publish(value === undefined ? { type: "delete", key } : { type: "set", key, value });
  }

  // Writing

  /** Writes a value with the next flush; `undefined` deletes. The value must not change then. */
  put(key: string, value: unknown, isBeginning = false): KVOperation {
    const write = this.#queue.add(key, value, isBeginning);
    if (this.#isClosed) this.#settle(key, write, this.error);
    else this.schedule();
    return write;
  }

  /** Writes a value unless a row is stored. After a change from here it gives way to nothing. */
  begin(key: string, value: unknown): KVOperation {
    return this.put(key, value, !this.#queue.last(key));
  }

  /** Writes the changed states and the waiting changes before long. */
  schedule(): void {
    this.#timer ??= setTimeout(() => this.flush(), this.#delay);
  }

  send(): void {
    this.#owner.collect();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isOpen) return;
    const batch = this.#queue.take();
    if (batch.length === 0) return;
    const changes = batch.map(
      ([key, { value, isBeginning }]) => [key, value, isBeginning] as const,
    );
    const isLast = (i: number): boolean => this.#queue.last(batch[i]![0]) === batch[i]![1];
    const work = this.#backend!.write(changes, isLast, (i, reason) =>
      this.#settle(...batch[i]!, reason),
    ).then(
      () => undefined,
      (reason: Error) => reason,
    );
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }

  #settle(key: string, write: PendingWrite, reason?: Error): void {
    if (!reason) this.#keep(key, write.value);
    if (this.#queue.end(key, write)) this.#owner.stored(key, reason);
    if (reason) return write.reject(reason);
    write.resolve();
    this.#publishRow(key, write.value);
  }

  async completed(): Promise<true> {
    this.send();
    await (this.#isOpen ? this.#looking : this.#open());
    let refusal: Error | undefined;
    for (this.send(); this.#running.size > 0; this.send())
      for (const reason of await Promise.all(this.#running)) refusal ??= reason;
    if (refusal) throw refusal;
    return true;
  }

  /** Like `completed()`, but never rejects: the states show the failure. */
  flush(): Promise<unknown> {
    return this.completed().catch(() => {});
  }

  // Opening and closing

  promise(): Promise<{ readonly type: "open" | "closed" }> {
    return this.#open().then(
      () => ({ type: "open" }),
      () => ({ type: "closed" }),
    );
  }

  #open(): Promise<void> {
    if (this.#isClosed) return Promise.reject(this.error!);
    return (this.#opening ??= this.#load().catch((error: Error) => this.#failed(error)));
  }

  async #load(): Promise<void> {
    this.#backend ??= await this.#connect(this);
    for (const [key, value] of await this.#backend.load()) {
      this.#stored.set(key, value);
      const write = this.#queue.last(key);
      if (write?.isBeginning) this.#queue.end(key, write);
    }
    this.#isOpen = true;
    this.error = undefined;
    this.#owner.loaded();
    this.#publish({ type: "open" });
    this.send();
  }

  /** The waiting changes wait for the next attempt. Their callers get the reason. */
  #failed(reason: Error): never {
    this.#opening = undefined;
    this.error = reason;
    this.#queue.postpone(reason);
    this.#owner.failed(reason);
    this.#publish({ type: "closed" });
    throw reason;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ended();
    await this.flush();
    this.#isClosed = true;
    this.#isOpen = false;
    this.error = new KvError("KV_CLOSED", "this store was closed");
    for (const [key, write] of this.#queue.take()) this.#settle(key, write, this.error);
    await this.#backend?.close();
    this.#publish({ type: "closed" });
  }
}
