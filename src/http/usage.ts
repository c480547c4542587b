import type { CommitCheck, CommitWrite } from "../api.ts";
import { increment } from "../atomic/index.ts";
import { KvError } from "../errors.ts";
import type { CommitResult } from "../types.ts";
import { type Mark, MARKS, markOf } from "./commit-mark.ts";
import { limited, Refusal } from "./reply.ts";
import type { CommitRequest } from "./requests.ts";
import { sizeOf, type Space } from "./space.ts";

/**
 * How long it is remembered that a commit was made: much longer than its sender tries to send it.
 */
const REMEMBERED = "10m";
/** How long the loser of a race waits at most before it tries again, in milliseconds. */
const LONGEST_PAUSE = 64;

const BYTES = "bytes";
const DATA = "d/";

/**
 * How many bytes a commit that frees bytes may exceed the limit by: it can be smaller than the mark
 * of its id, and must not fail for that.
 */
const FREEING_BYTES = 4096;

/** Checks and writes of the server itself, which are made with a commit of a user. */
interface OwnPart {
  readonly checks: readonly CommitCheck[];
  readonly writes: readonly CommitWrite[];
}

const NOTHING: OwnPart = { checks: [], writes: [] };

/**
 * Commits of a space, each made once. Those of a space with a limit on storage keep its sum right
 * in the same transaction.
 */
export class Commits {
  readonly #space: Space;
  readonly #isMetered: boolean;
  #isCounted = false;
  /** In one process they follow each other: all of them change the sum. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(space: Space, isMetered: boolean) {
    this.#space = space;
    this.#isMetered = isMetered;
  }

  /** Whether writes have to be commits, for the sum to be right. */
  get isMetered(): boolean {
    return this.#isMetered;
  }

  /**
   * Makes a commit. One that was made before with the same `id` is not made again, and has the
   * result of the first.
   *
   * @throws {KvError} KV_QUOTA when it does not fit into the space, KV_INVALID_VALUE when another
   * commit was made with its `id`.
   */
  async commit(request: CommitRequest, storageBytes: number): Promise<CommitResult> {
    const mark = await markOf(request);
    if (this.#isMetered) return this.#inTurn(() => this.#metered(request, mark, storageBytes));
    for (;;) {
      const result = await this.#attempt(request, mark, NOTHING);
      // The mark of an earlier commit has expired in between: this is a new one.
      if (result !== null) return result;
    }
  }

  /** Does what may free bytes, and counts what is left. */
  async freeing<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#isMetered) return work();
    return this.#inTurn(async () => {
      const result = await work();
      await this.#count();
      return result;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** The result of an earlier commit with this mark; `null` when there was none. */
  async #earlier({ key, value }: Mark): Promise<CommitResult | null> {
    const entry = await this.#space.root.entry(key);
    if (entry?.version == null) return null;
    if (entry.value === value) return { ok: true, version: entry.version };
    throw new Refusal(
      "KV_INVALID_VALUE",
      "another commit was sent with this id: nothing was written; make a new id for each commit",
      422,
    );
  }

  /** `null`: only checks of the server itself have failed, so that it has to begin again. */
  async #attempt(
    { checks, writes }: CommitRequest,
    mark: Mark | null,
    own: OwnPart,
  ): Promise<CommitResult | null> {
    const all = [
      ...checks.map(({ key, version }) => ({ key: DATA + key, version })),
      ...own.checks,
    ];
    const changes = [
      ...writes.map((write) => ({ ...write, key: DATA + write.key })),
      ...own.writes,
    ];
    if (mark !== null) {
      all.push({ key: mark.key, version: null });
      changes.push({ ...mark, expires: REMEMBERED });
    }
    const result = await this.#space.root.commit(all, changes);
    if (result.ok) return result;
    const earlier =
      mark !== null && result.failed.includes(mark.key) ? await this.#earlier(mark) : null;
    if (earlier !== null) return earlier;
    const failed = result.failed
      .filter((key) => key.startsWith(DATA))
      .map((key) => key.slice(DATA.length));
    return failed.length > 0 ? { ok: false, failed } : null;
  }

  async #metered(
    request: CommitRequest,
    mark: Mark | null,
    storageBytes: number,
  ): Promise<CommitResult> {
    const { root } = this.#space;
    // Of two writes of a key the later counts.
    const after = new Map(request.writes.map((write) => [write.key, write]));
    const markBytes = mark === null ? 0 : sizeOf({ ...mark, metadata: null });
    for (let pause = 1, isFresh = false; ;) {
      // A commit that was made before needs no room.
      const earlier = mark === null ? null : await this.#earlier(mark);
      if (earlier !== null) return earlier;
      // Somebody without a limit may have written before this server was started.
      if (!this.#isCounted) {
        await this.#count();
        isFresh = true;
      }
      const sum = await root.entry<number>(BYTES);
      const before = await Promise.all(
        [...after.keys()].map((key) => this.#space.data.entry<unknown>(key)),
      );
      let grows = 0;
      for (const entry of before) grows -= entry === null ? 0 : sizeOf(entry);
      for (const { key, value, metadata } of after.values())
        grows += value === null ? 0 : sizeOf({ key, value, metadata: metadata as never });
      const bytes = (sum?.value ?? 0) + grows + markBytes;
      const most = grows < 0 ? storageBytes + FREEING_BYTES : storageBytes;
      if (grows + markBytes > 0 && bytes > most) {
        // What has expired since counts until it is counted anew.
        if (isFresh)
          throw new KvError(
            "KV_QUOTA",
            `this space holds at most ${storageBytes} bytes: nothing was written; delete ` +
              "something first",
          );
        this.#isCounted = false;
        continue;
      }
      const version = sum?.version ?? null;
      const own = {
        checks: [{ key: BYTES, version }],
        writes: [{ key: BYTES, value: Math.max(0, bytes) }],
      };
      const result = await this.#attempt(request, mark, own);
      if (result !== null) return result;
      // Another process was faster: by chance, so that those who lost together do not meet again.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** Counts what the space holds. What other processes write meanwhile makes it begin again. */
  async #count(): Promise<void> {
    const { root } = this.#space;
    for (;;) {
      const before = await root.entry<number>(BYTES);
      let bytes = 0;
      let after: string | null = null;
      do {
        const page = await this.#space.page({
          prefix: "",
          after,
          limit: 1000,
          reverse: false,
          values: true,
        });
        for (const entry of page.entries) bytes += sizeOf(entry);
        after = page.next;
      } while (after !== null);
      for await (const [id, value] of root.prefix(MARKS))
        bytes += sizeOf({ key: MARKS + id, value, metadata: null });
      const { ok } = await root.commit(
        [{ key: BYTES, version: before?.version ?? null }],
        [{ key: BYTES, value: bytes }],
      );
      if (!ok) continue;
      this.#isCounted = true;
      return;
    }
  }
}

/**
 * The operations of a space in each month. Those that come at once are counted together: one write
 * for all of them.
 */
export class OperationCounter {
  readonly #space: Space;
  #waiting: {
    count: number;
    perMonth: number;
    resolve: () => void;
    reject: (error: unknown) => void;
  }[] = [];
  #isCounting = false;

  constructor(space: Space) {
    this.#space = space;
  }

  /** @throws {KvError} KV_RATE_LIMITED when there would be more than the limit. */
  count(count: number, perMonth: number): Promise<void> {
    if (perMonth === Infinity || count === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, perMonth, resolve, reject });
      if (!this.#isCounting) void this.#countAll();
    });
  }

  async #countAll(): Promise<void> {
    this.#isCounting = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting;
      this.#waiting = [];
      const all = some.reduce((sum, { count }) => sum + count, 0);
      const least = Math.min(...some.map(({ perMonth }) => perMonth));
      try {
        if (await this.#add(all, least)) for (const { resolve } of some) resolve();
        // Not all of them fit: each by itself, in the order that they came in.
        else
          for (const each of some)
            await this.#add(each.count, each.perMonth).then((fits) =>
              fits ? each.resolve() : each.reject(this.#refusal(each.perMonth)),
            );
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#isCounting = false;
  }

  async #add(count: number, max: number): Promise<boolean> {
    const now = new Date();
    return (
      (await increment(this.#space.root, `operations/${now.toISOString().slice(0, 7)}`, count, {
        max,
        expires: new Date(endOf(now)),
      })) !== null
    );
  }

  #refusal(perMonth: number): KvError {
    const now = new Date();
    return limited(
      `more than ${perMonth} operations in ${now.toISOString().slice(0, 7)}`,
      (endOf(now) - now.getTime()) / 1000,
    );
  }
}

const endOf = (now: Date): number => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
