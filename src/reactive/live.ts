import type { KvError } from "../errors.ts";
import type { Backend, RowChange, Memory } from "./backend.ts";
import { isEqual } from "./is-equal.ts";
import type { News, Shared } from "./shared.ts";
import { unref } from "../platform/unref.ts";

/** After a refused write a browser needs some milliseconds to free its room. */
const PAUSE = 50;

type Settle = (index: number, error?: Error) => void;

/** A backend that also receives the changes of others: of tabs by a channel, else by a watch. */
export class Live implements Backend {
  readonly #rows: Shared;
  readonly #memory: Memory;
  #channel: BroadcastChannel | undefined;
  #looking: Promise<void> | undefined;
  #asked: string[] = [];
  #loading: ReturnType<Shared["load"]> | undefined;
  #isLeaving = false;
  /** Writes that the client has, without an answer so far. */
  readonly #sent = new Set<readonly News[]>();

  constructor(rows: Shared, memory: Memory) {
    this.#rows = rows;
    this.#memory = memory;
    // Without IndexedDB there are no tabs, but programs that a channel would keep alive.
    if (typeof BroadcastChannel === "function" && globalThis.indexedDB) {
      const channel = new BroadcastChannel(rows.channel);
      channel.onmessage = ({ data }: MessageEvent<readonly News[]>) => void this.#receive(data);
      unref(channel);
      this.#channel = channel;
    }
    globalThis.addEventListener?.("pagehide", this.#leave);
    globalThis.addEventListener?.("visibilitychange", this.#turn);
    rows.watch?.((key) => void this.#readSoon(key));
  }

  load(): ReturnType<Shared["load"]> {
    return (this.#loading = this.#rows.load());
  }

  async write(
    changes: readonly RowChange[],
    isLast: (index: number) => boolean,
    settle: Settle,
  ): Promise<void> {
    const all = [...changes.keys()];
    let refusal: KvError | undefined;
    // A beginning waits for a read: a page that leaves has no time for that.
    const parts = this.#isLeaving
      ? [all.filter((i) => !changes[i]![2]), all.filter((i) => changes[i]![2])].filter(
          ({ length }) => length,
        )
      : [all];
    await Promise.all(parts.map((part) => this.#attempt(changes, part, settle))).catch(
      (error: KvError) => (refusal = error),
    );
    if (refusal !== undefined) throw await this.#retry(changes, refusal, isLast, settle);
  }

  async #attempt(
    changes: readonly RowChange[],
    indexes: readonly number[],
    settle: Settle,
  ): Promise<void> {
    const some = indexes.map((i) => changes[i]!);
    const news = some.map(([key, value]): News => [key, value, this.#memory.known(key)]);
    const sent = (): void => {
      this.#sent.add(news);
      this.#handOver();
    };
    const found = await this.#rows.write(some, sent).finally(() => this.#sent.delete(news));
    for (const i of indexes) settle(i);
    for (const [key, value] of found) this.#memory.heard(key, value);
    this.#channel?.postMessage(some.map(([key]) => [key]));
  }

  /** Writes each change by itself after all were refused together. Resolves to the last refusal. */
  async #retry(
    changes: readonly RowChange[],
    refusal: KvError,
    isLast: (index: number) => boolean,
    settle: Settle,
  ): Promise<KvError> {
    // Without an outage one change was refused, and the others may be accepted.
    const isOver =
      changes.length === 1 || refusal.code === "KV_CONNECTION" || refusal.code === "KV_CLOSED";
    for (const i of changes.keys()) {
      let error: KvError | undefined = refusal;
      if (!isOver && refusal.code === "KV_QUOTA")
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (!isOver && isLast(i))
        error = await this.#attempt(changes, [i], settle).then(
          () => undefined,
          (cause: KvError) => (refusal = cause),
        );
      if (error !== undefined) settle(i, error);
    }
    return refusal;
  }

  look(key: string): Promise<void> | undefined {
    return this.#rows.looks ? this.#readSoon(key) : undefined;
  }

  /** Reads a row again, with all others that are asked for in this turn. */
  #readSoon(key: string): Promise<void> {
    this.#asked.push(key);
    return (this.#looking ??= Promise.resolve(this.#loading).then(() => {
      this.#looking = undefined;
      return this.#read(this.#asked.splice(0), true);
    }));
  }

  async close(): Promise<void> {
    this.#channel?.close();
    globalThis.removeEventListener?.("pagehide", this.#leave);
    globalThis.removeEventListener?.("visibilitychange", this.#turn);
    await this.#rows.close();
  }

  readonly #leave = (): void => {
    this.#isLeaving = true;
    this.#memory.send();
    this.#handOver();
  };

  readonly #turn = (): void => {
    if (document.visibilityState === "hidden") return this.#leave();
    this.#isLeaving = false;
    // A page that ended in the middle of a write may not have published it.
    void this.#read(this.#memory.used(), false);
  };

  /** A page that leaves gets no answer to its writes: the other tabs complete them. */
  #handOver(): void {
    if (this.#isLeaving) for (const news of this.#sent) this.#channel?.postMessage(news);
  }

  async #receive(news: readonly News[]): Promise<void> {
    try {
      await this.#loading;
      if (news[0]?.length === 3) await this.#rows.takeOver?.(news);
    } catch {
      // Another tab may do it. The stored values are read in any case.
    }
    await this.#read(
      news.map(([key]) => key),
      true,
    );
  }

  /** Reads rows again, once they were loaded. A missing row counts as removed if `isWhole`. */
  async #read(keys: readonly string[], isWhole: boolean): Promise<void> {
    if (keys.length === 0) return;
    try {
      await this.#loading;
      const values = await this.#rows.read(keys);
      for (const [i, key] of keys.entries()) {
        if ((isWhole || values[i] !== undefined) && !isEqual(values[i], this.#memory.known(key)))
          this.#memory.heard(key, values[i]);
      }
    } catch {
      // The next news lead to another read. A write reports the failure to its caller.
    }
  }
}
