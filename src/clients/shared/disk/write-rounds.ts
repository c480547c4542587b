import { failedChecks, holds } from "../../../record/freshness.ts";
import { committed } from "../all-or-nothing.ts";
import type { FileLock, Held } from "./file-lock.ts";
import type { MaybePromise } from "../../../types.ts";
import { builtin } from "../../../platform/node.ts";
import type { Check, KvRecord } from "../../../record/types.ts";
import type { Adapter } from "../../adapter.ts";

const { setImmediate: turn } = builtin("node:timers/promises");

/** The changes of a round of writes. */
export interface Draft {
  /**
   * The record of a key after the writes before this one. @throws {KvError} KV_FOREIGN, KV_CORRUPT
   */
  read(key: string): KvRecord | null;
  readonly changes: Map<string, KvRecord | null>;
  /** Whether a crash must leave all of the changes or none. */
  together: boolean;
}

/** How the data of one path is read and replaced under its lock. */
export interface RoundTarget {
  readonly lock: FileLock;
  /** Brings everything up to date, and returns how a key is read until the round ends. */
  begin(held: Held): MaybePromise<(key: string) => KvRecord | null>;
  /** Writes the changes aside, in the holder's folder; the result publishes them. */
  prepare(draft: Draft, held: Held): Promise<() => Promise<void>>;
  /** Whether writes are tried one by one when they cannot be prepared together. */
  readonly apart: boolean;
  /** How many writes share a round. */
  readonly limit: number;
}

type Task<T> = (draft: Draft) => T;
interface Job {
  readonly task: Task<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** The writing half of an adapter. */
export interface RoundWriter extends Required<
  Pick<Adapter, "set" | "del" | "setMany" | "commit" | "close">
> {
  /**
   * Runs a task at its place among the writes. It changes the draft only when it does not throw.
   */
  add<T>(task: Task<T>): Promise<T>;
  /** Removes the records that still have these versions. Resolves to how many. */
  evict(expired: readonly Check[]): MaybePromise<number>;
}

/**
 * Collects writes into rounds. All writes that are called in one turn of the event loop, or during
 * a round, take the lock once and are published together. A round applies them in call order.
 */
class Rounds {
  readonly #target: RoundTarget;
  readonly #queue: Job[] = [];
  running: Promise<void> | null = null;

  constructor(target: RoundTarget) {
    this.#target = target;
  }

  add<T>(task: Task<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => this.#queue.push({ task, resolve, reject }));
    this.running ??= this.#run();
    return result;
  }

  async #run(): Promise<void> {
    await turn();
    while (this.#queue.length > 0) {
      await this.#round();
      await turn();
    }
    this.running = null;
  }

  async #round(): Promise<void> {
    let jobs: Job[] = [];
    let settling: (() => void)[];
    try {
      const held = await this.#target.lock();
      try {
        jobs = this.#queue.splice(0, this.#target.limit);
        settling = await this.#attempt(jobs, await this.#target.begin(held), held);
      } finally {
        held.release();
      }
    } catch (error) {
      settling = (jobs.length > 0 ? jobs : this.#queue.splice(0)).map(
        (job) => () => job.reject(error),
      );
    }
    // After the release of the lock: a caller whose write has ended finds no rest of it.
    for (const settle of settling) settle();
  }

  /** Makes the changes of some jobs. Returns the functions that settle them. */
  async #attempt(
    jobs: readonly Job[],
    read: (key: string) => KvRecord | null,
    held: Held,
  ): Promise<(() => void)[]> {
    const changes: Draft["changes"] = new Map();
    const draft: Draft = {
      read: (key) => (changes.has(key) ? changes.get(key)! : read(key)),
      changes,
      together: false,
    };
    const done: { job: Job; result: unknown }[] = [];
    const settling: (() => void)[] = [];
    for (const job of jobs) {
      try {
        done.push({ job, result: job.task(draft) });
      } catch (error) {
        settling.push(() => job.reject(error));
      }
    }
    try {
      const publish = await this.#target.prepare(draft, held).catch((error: unknown) => {
        if (this.#target.apart && done.length > 1) return null;
        throw error;
      });
      if (publish === null) {
        for (const { job } of done) settling.push(...(await this.#attempt([job], read, held)));
        return settling;
      }
      await publish();
      for (const { job, result } of done) settling.push(() => job.resolve(result as never));
    } catch (error) {
      for (const { job } of done) settling.push(() => job.reject(error));
    }
    return settling;
  }
}

/** Removes the records of a draft that still have these versions. Returns how many. */
function removeFrom({ read, changes }: Draft, expired: readonly Check[]): number {
  const gone = expired.filter((check) => {
    try {
      // At moment 0 no record has expired yet, so that the version is compared.
      return holds(check, read(check.key), 0);
    } catch {
      return false;
    }
  });
  for (const { key } of gone) changes.set(key, null);
  return gone.length;
}

/** The writes of an adapter in rounds: see {@link Rounds}. */
export function writeRounds(target: RoundTarget): RoundWriter {
  const rounds = new Rounds(target);
  const add = <T>(task: Task<T>): Promise<T> => rounds.add(task);
  return {
    add,
    // Most sweeps find nothing, and need no lock.
    evict: (expired) => (expired.length === 0 ? 0 : add((draft) => removeFrom(draft, expired))),
    set: (key, record) => add(({ changes }) => void changes.set(key, record)),
    del: (key) => add(({ changes }) => void changes.set(key, null)),
    setMany: (writes) =>
      add(({ changes }) => writes.forEach(({ key, record }) => changes.set(key, record))),
    commit: (checks, writes, now) =>
      add((draft) => {
        const failed = failedChecks(checks, draft.read, now);
        if (failed.length > 0) return { ok: false, failed };
        for (const { key, record } of writes) draft.changes.set(key, record);
        if (writes.length > 1) draft.together = true;
        return committed(writes);
      }),
    close: async () => {
      await rounds.running;
    },
  };
}
