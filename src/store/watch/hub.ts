import type { Feed, Subscription } from "../../clients/adapter.ts";
import type { Written } from "../../concurrency/order.ts";
import { isKvError } from "../../errors.ts";
import { isFresh } from "../../record/freshness.ts";
import { isolated } from "../../record/record.ts";
import type { KvRecord } from "../../record/types.ts";
import { closedError } from "../failure.ts";
import type { Connection } from "../connection.ts";
import { type Guarded, guardOf } from "../guarded.ts";
import { batches, whole } from "../pages.ts";
import { Interest, isUnder } from "./interest.ts";
import { readRecords } from "./read-records.ts";
import { WatchStates } from "./states.ts";
import type { StoreWatcher } from "./watcher.ts";
import { unref } from "../../platform/unref.ts";

/** How many keys are read at once. */
const BATCH = 100;

/** The pauses between attempts to reach a client again, in milliseconds. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1000;

/** How the `ready` of a watch settles. */
interface Ready {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * All watches over one connection. They share the subscription to the client's changes, the timer
 * of deadlines, and the reads: a changed key is read once, however many watches report it.
 */
export class Hub implements Feed {
  readonly #connection: Connection;
  readonly #interest = new Interest();
  readonly #watchers = this.#interest.watchers;
  readonly #states: WatchStates = new WatchStates((keys) => this.changed(keys));
  /** Keys that may have changed since they were read. */
  readonly #suspects = new Set<string>();
  /** Whether any key may have changed. */
  #isStale = false;
  #isRunning = false;
  /** Whether something has happened since the work looked for it. */
  #isTold = false;
  /** Watchers whose first states are not known yet. */
  readonly #starting = new Map<StoreWatcher, Ready>();
  #subscription: Subscription | null = null;
  #stopListening: (() => void) | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isLost = true;
  #wasSubscribed = false;
  /** When the client failed first, in milliseconds of `performance.now()`. */
  #failedAt: number | null = null;
  readonly #ended: () => void;

  /** `ended` is called when the last watch has ended. */
  constructor(connection: Connection, ended: () => void) {
    this.#connection = connection;
    this.#ended = ended;
  }

  /** Adds a watch. Resolves once all later changes will be reported to it. */
  add(watcher: StoreWatcher): Promise<void> {
    this.#interest.add(watcher);
    watcher.onWait = () => this.#run();
    const ready = new Promise<void>((resolve, reject) => {
      this.#starting.set(watcher, { resolve, reject });
    });
    this.#run();
    return ready;
  }

  /** Ends a watch, with an error or without one. */
  remove(watcher: StoreWatcher, error?: unknown): void {
    if (!this.#interest.delete(watcher)) return;
    watcher.end(error);
    const ready = this.#starting.get(watcher);
    if (error === undefined) ready?.resolve();
    else ready?.reject(error);
    this.#starting.delete(watcher);
    if (this.#watchers.size === 0) this.#end();
    else this.#forget(watcher);
  }

  /** Ends all watches: the store is closed. */
  close(): void {
    for (const watcher of [...this.#watchers]) this.remove(watcher);
  }

  // The feed.

  changed(keys: readonly string[]): void {
    for (const key of keys) if (this.#interest.isWatched(key)) this.#suspects.add(key);
    this.#run();
  }

  unknown(): void {
    this.#isStale = true;
    this.#run();
  }

  lost(): void {
    this.#isLost = true;
    this.#unsubscribe();
    this.#run();
  }

  #written({ write = [], writeUnder }: Written): void {
    if (writeUnder !== undefined) {
      for (const key of this.#states.present(writeUnder)) this.#suspects.add(key);
      for (const key of this.#interest.names())
        if (key.startsWith(writeUnder)) this.#suspects.add(key);
    }
    for (const key of write)
      for (const watcher of this.#interest.watchersOf(key))
        if (watcher.options.raw === true) watcher.dirty.add(key);
    this.changed(write);
  }

  #run(): void {
    this.#isTold = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#work();
  }

  // One step after the other, so that no read overtakes another.
  async #work(): Promise<void> {
    while (this.#isTold && this.#watchers.size > 0) {
      this.#isTold = false;
      try {
        if (await this.#step()) this.#isTold = true;
      } catch (error) {
        await this.#failed(error);
        this.#isTold = true;
      }
    }
    this.#isRunning = false;
  }

  /** One step of the work; `false` when there is nothing to do. */
  async #step(): Promise<boolean> {
    const adapter = await guardOf(this.#connection, this.#interest.timeout());
    // The last watch may have ended while the client was opened.
    if (this.#watchers.size === 0) return false;
    if (this.#isLost) {
      await this.#subscribe(adapter);
      return true;
    }
    if (this.#starting.size > 0) {
      await this.#start(adapter);
      return true;
    }
    if (this.#isStale && this.#interest.isAwaited()) {
      await this.#compare(adapter);
      return true;
    }
    const keys = this.#due();
    if (keys.length === 0) return false;
    await this.#read(adapter, keys);
    return true;
  }

  async #subscribe(adapter: Guarded): Promise<void> {
    this.#stopListening ??= this.#connection.order.listen((written) => this.#written(written));
    this.#poll();
    if (adapter.watch !== undefined) {
      const subscription = await adapter.watch(this, this.#interest.coverage());
      if (this.#watchers.size === 0) {
        await subscription.close();
        return;
      }
      this.#subscription = subscription;
      this.#failedAt = null;
    }
    this.#isLost = false;
    // Changes since the last subscription are not known.
    this.#isStale = this.#wasSubscribed;
    this.#wasSubscribed = true;
  }

  /** Looks at a client that reports nothing in intervals. */
  #poll(): void {
    if (this.#connection.source.supports.watch === "native") return;
    const interval = this.#interest.interval();
    clearInterval(this.#timer);
    if (interval === Infinity) return;
    this.#timer = setInterval(() => this.unknown(), interval);
    unref(this.#timer);
  }

  /** Learns the first states of new watches. */
  async #start(adapter: Guarded): Promise<void> {
    const starting = [...this.#starting.keys()];
    this.#poll();
    await this.#subscription?.cover?.(this.#interest.coverage());
    for (const watcher of starting) {
      const { keys, prefix } = watcher.target;
      for (let i = 0; i < keys.length; i += BATCH)
        for (const { key, record } of await readRecords(adapter, keys.slice(i, i + BATCH)))
          this.#learn(key, record === "foreign" ? null : record);
      if (prefix !== null)
        for await (const batch of batches(adapter, whole(prefix), false))
          for (const [key, record] of batch)
            if (isUnder(key, prefix) && this.#states.differs(key, record, Date.now()))
              await this.#startKey(adapter, key, record);
      if (!this.#watchers.has(watcher)) continue;
      // Changes that were found for others on the way were made before this watch was ready.
      watcher.dirty.clear();
      if (watcher.options.initial) this.#markAll(watcher);
      this.#failedAt = null;
      this.#starting.get(watcher)?.resolve();
      this.#starting.delete(watcher);
    }
  }

  /** A record that keeps no version is told from others by its value. */
  async #startKey(adapter: Guarded, key: string, listed: KvRecord): Promise<void> {
    if (listed.version !== null || listed.value !== null) this.#learn(key, listed);
    else
      for (const { record } of await readRecords(adapter, [key]))
        if (record !== "foreign") this.#learn(key, record);
  }

  #markAll(watcher: StoreWatcher): void {
    const { keys, prefix } = watcher.target;
    for (const key of keys) watcher.dirty.add(key);
    if (prefix !== null) for (const key of this.#states.present(prefix)) watcher.dirty.add(key);
  }

  /** Finds the keys that differ from their last seen records. */
  async #compare(adapter: Guarded): Promise<void> {
    this.#isStale = false;
    try {
      for (const key of this.#interest.names()) this.#suspects.add(key);
      for (const prefix of this.#interest.prefixes()) {
        const missing = new Set(this.#states.present(prefix));
        for await (const batch of batches(adapter, whole(prefix), false))
          for (const [key, record] of batch) {
            missing.delete(key);
            if (isUnder(key, prefix) && this.#states.differs(key, record, Date.now()))
              this.#suspects.add(key);
          }
        for (const key of missing) this.#suspects.add(key);
      }
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  /** Up to a batch of keys that have to be read for a consumer that waits. */
  #due(): string[] {
    const due = new Set<string>();
    for (const watcher of this.#watchers) {
      if (!watcher.isWaiting) continue;
      for (const key of watcher.dirty) {
        if (due.size >= BATCH) return [...due];
        due.add(key);
      }
    }
    for (const key of this.#suspects) {
      if (due.size >= BATCH) break;
      for (const { isWaiting } of this.#interest.watchersOf(key)) {
        if (!isWaiting) continue;
        due.add(key);
        break;
      }
    }
    return [...due];
  }

  async #read(adapter: Guarded, keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#suspects.delete(key);
    const waiting = new Set([...this.#watchers].filter(({ isWaiting }) => isWaiting));
    try {
      for (const { key, record } of await readRecords(adapter, keys)) {
        if (record === "foreign" || record === null) this.#markForeign(key);
        else this.#learn(key, record);
        this.#report(waiting, key, record === "foreign" ? null : record);
      }
      this.#failedAt = null;
    } catch (error) {
      for (const key of keys) this.#suspects.add(key);
      throw error;
    }
  }

  #learn(key: string, record: KvRecord | null): void {
    if (!this.#states.learn(key, record, Date.now())) return;
    for (const watcher of this.#interest.watchersOf(key)) watcher.dirty.add(key);
    // Keys that come and go under a prefix must not pile up.
    if (!isFresh(record, Date.now()) && !this.#interest.isNamed(key)) this.#states.forget(key);
  }

  /** A key without a record may have an item of another kind, such as a set of Redis. */
  #markForeign(key: string): void {
    this.#learn(key, null);
    for (const watcher of this.#interest.watchersOf(key))
      if (watcher.options.foreign === true) watcher.dirty.add(key);
  }

  /** Reports a key to the watchers that waited when it was read. */
  #report(waiting: ReadonlySet<StoreWatcher>, key: string, record: KvRecord | null): void {
    const present = isFresh(record, Date.now()) ? record : null;
    let isFirst = true;
    for (const watcher of this.#interest.watchersOf(key)) {
      if (!watcher.dirty.has(key) || !waiting.has(watcher)) continue;
      watcher.report({ key, record: present && !isFirst ? isolated(present) : present });
      isFirst = false;
    }
  }

  /** Waits before the next attempt, and ends the watches that have waited long enough. */
  async #failed(error: unknown): Promise<void> {
    const isOutage = isKvError(error, "KV_CONNECTION") || isKvError(error, "KV_RATE_LIMITED");
    const now = performance.now();
    this.#failedAt ??= now;
    const passed = now - this.#failedAt;
    for (const watcher of [...this.#watchers])
      if (this.#connection.closing !== null) this.remove(watcher, closedError(this.#connection));
      else if (!isOutage || passed >= watcher.options.timeout) this.remove(watcher, error);
    if (this.#watchers.size === 0) return;
    this.#isStale = true;
    const ms = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, passed / 4));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      unref(timer);
    });
  }

  #forget({ target: { keys, prefix } }: StoreWatcher): void {
    for (const key of keys) if (!this.#interest.isWatched(key)) this.#drop(key);
    if (prefix === null || this.#interest.hasPrefix(prefix)) return;
    for (const key of [...this.#states.keys()])
      if (isUnder(key, prefix) && !this.#interest.isWatched(key)) this.#drop(key);
  }

  #drop(key: string): void {
    this.#states.forget(key);
    this.#suspects.delete(key);
  }

  #unsubscribe(): void {
    const subscription = this.#subscription;
    this.#subscription = null;
    // The connection of a lost subscription may be gone.
    Promise.resolve(subscription?.close()).catch(() => {});
  }

  #end(): void {
    this.#unsubscribe();
    this.#stopListening?.();
    this.#stopListening = null;
    clearInterval(this.#timer);
    this.#states.clear();
    this.#suspects.clear();
    this.#isLost = true;
    this.#wasSubscribed = false;
    this.#ended();
  }
}
