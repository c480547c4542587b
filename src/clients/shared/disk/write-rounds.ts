import { failedChecks, holds } from "../../../record/freshness.ts";
import { committed } from "../all-or-nothing.ts";
import type { FileLock, Held } from "./file-lock.ts";
import type { MaybePromise } from "../../../types.ts";
import { builtin } from "../../../platform/node.ts";
import type { Check, KvRecord } from "../../../record/types.ts";
import type { Adapter } from "../../adapter.ts";

const { setImmediate: turn } = builtin("node:timers/promises");

/** What a round of writes is about to change. */
export interface Draft {
  /**
   * What is under a key once the writes before this one are done. @throws {KvError} KV_FOREIGN,
   * KV_CORRUPT
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
  /** Writes the changes aside, in the holder's folder; what it returns publishes them. */
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
 * Collects writes into rounds: all that are called in one turn of the event loop, or while a round
 * is under way, take the lock once and are published together. Within a round they are applied in
 * the order of the calls.
 */
export function writeRounds(target: RoundTarget): RoundWriter {
  const queue: Job[] = [];
  let running: Promise<void> | null = null;

  /** Makes the changes of some jobs, and returns what tells their callers. */
  async function attempt(
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
    const told: (() => void)[] = [];
    for (const job of jobs) {
      try {
        done.push({ job, result: job.task(draft) });
      } catch (error) {
        told.push(() => job.reject(error));
      }
    }
    try {
      const publish = await target.prepare(draft, held).catch((error: unknown) => {
        if (target.apart && done.length > 1) return null;
        throw error;
      });
      if (publish === null) {
        for (const { job } of done) told.push(...(await attempt([job], read, held)));
        return told;
      }
      await publish();
      for (const { job, result } of done) told.push(() => job.resolve(result as never));
    } catch (error) {
      for (const { job } of done) told.push(() => job.reject(error));
    }
    return told;
  }

  async function round(): Promise<void> {
    let jobs: Job[] = [];
    let told: (() => void)[];
    try {
      const held = await target.lock();
      try {
        jobs = queue.splice(0, target.limit);
        told = await attempt(jobs, await target.begin(held), held);
      } finally {
        held.release();
      }
    } catch (error) {
      told = (jobs.length > 0 ? jobs : queue.splice(0)).map((job) => () => job.reject(error));
    }
    // Once the lock is free: whoever was waiting for a write finds nothing of it left over.
    for (const tell of told) tell();
  }

  async function run(): Promise<void> {
    await turn();
    while (queue.length > 0) {
      await round();
      await turn();
    }
    running = null;
  }

  function add<T>(task: Task<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => queue.push({ task, resolve, reject }));
    running ??= run();
    return result;
  }

  function evict(expired: readonly Check[]): MaybePromise<number> {
    // Most sweeps find nothing, and need no lock.
    if (expired.length === 0) return 0;
    return add(({ read, changes }) => {
      const gone = expired.filter((check) => {
        try {
          // At moment 0 nothing has expired yet, so that the version is compared.
          return holds(check, read(check.key), 0);
        } catch {
          return false;
        }
      });
      for (const { key } of gone) changes.set(key, null);
      return gone.length;
    });
  }

  return {
    add,
    evict,
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
      await running;
    },
  };
}
