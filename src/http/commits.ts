import { randomPause } from "../concurrency/retry.ts";
import type { CommitCheck, CommitWrite } from "../api.ts";
import { KvError } from "../errors.ts";
import type { CommitResult, Json } from "../types.ts";
import { type Mark, markOf } from "./commit-mark.ts";
import { Recount } from "./recount.ts";
import { Refusal } from "./reply.ts";
import type { CommitRequest } from "./requests.ts";
import { longRests, type Rest, shortRests } from "./rests.ts";
import { DATA, sizeOf, type Space } from "./space.ts";
import { type SizeChange, type Sized, StorageSum } from "./storage-sum.ts";

/**
 * How long it is remembered that a commit was made, in milliseconds: much longer than its sender
 * tries to send it.
 */
const REMEMBERED = 600_000;
/** How long the loser of a race waits at most before it tries again, in milliseconds. */
const LONGEST_PAUSE = 64;
/** How often a space is counted again in the background at most, in milliseconds. */
const RECOUNT_EVERY = 60_000;
/** How often a count is offered as the stored sum: each write at the same time is in its way. */
const TRIES = 10;

/** The key of the sum in the server's own records of a space. */
const BYTES = "bytes";

/**
 * How many bytes a commit that frees bytes may exceed the limit by: it can be smaller than the mark
 * of its id, and must not fail for that.
 */
const FREEING_BYTES = 4096;

/** Checks and writes of the server itself, which are made with a commit of a user. */
interface OwnPart {
  readonly checks: readonly CommitCheck[];
  readonly writes: readonly CommitWrite[];
  /** Called when the commit was made now. */
  made?(version: string): void;
}

const NOTHING: OwnPart = { checks: [], writes: [] };

/** The stored sum, less the size of expired entries. */
interface StoredSum {
  readonly sum: StorageSum;
  readonly version: string | null;
}

/**
 * Commits of a space, each made once. Those of a space with a limit on storage keep its sum right
 * in the same transaction.
 */
export class Commits {
  readonly #space: Space;
  readonly #isMetered: boolean;
  /** In one process they follow each other: all of them change the sum. */
  #last: Promise<unknown> = Promise.resolve();
  /** The count that goes on in the background. */
  #recount: Recount | null = null;
  #recountedAt = -Infinity;

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

  /** Moves the deadline of an entry. Resolves to whether there is one. */
  touch(key: string, expires: Date | null): Promise<boolean> {
    const { data } = this.#space;
    if (!this.#isMetered) return data.touch(key, expires);
    // The sum has to know the deadline of every byte, so that this is a commit as well.
    return this.#inTurn(async () => {
      for (;;) {
        const entry = await data.entry<Json>(key);
        if (entry?.version == null) return data.touch(key, expires);
        const { value, metadata, version } = entry;
        const request = {
          checks: [{ key, version }],
          writes: [{ key, value, metadata, expires }],
          id: null,
        };
        if ((await this.#metered(request, null, Infinity)).ok) return true;
      }
    });
  }

  /** Deletes everything under a prefix. */
  clear(prefix: string): Promise<void> {
    const cleared = this.#space.data.prefix(prefix);
    if (!this.#isMetered) return cleared.clear();
    return this.#inTurn(async () => {
      const { sum, version } = await this.#stored();
      const rest = shortRests();
      let isEmpty = true;
      for await (const { entries } of this.#space.sizes(DATA + prefix)) {
        for (const entry of entries) {
          // The key that is the prefix itself is not under it.
          if (entry.key === DATA + prefix) continue;
          sum.remove(entry);
          isEmpty = false;
        }
        await rest();
      }
      if (!isEmpty) this.#forget();
      await cleared.clear();
      if (isEmpty) return;
      const { ok } = await this.#space.root.commit(
        [{ key: BYTES, version }],
        [{ key: BYTES, value: sum.toJSON() }],
      );
      // Another process has written meanwhile: its deletions must not be subtracted again.
      if (!ok) await this.#count();
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
    expires: number = Date.now() + REMEMBERED,
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
      changes.push({ ...mark, expires: new Date(expires) });
    }
    const result = await this.#space.root.commit(all, changes);
    if (result.ok) {
      own.made?.(result.version);
      return result;
    }
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
    for (let pause = 1; ;) {
      // A commit that was made before needs no room.
      const earlier = mark === null ? null : await this.#earlier(mark);
      if (earlier !== null) return earlier;
      // The sum is read first: an entry that is there afterwards is still counted in it.
      const { sum, version } = await this.#stored();
      const expires = Date.now() + REMEMBERED;
      const changes = await this.#changesOf(request, mark, expires);
      let grows = 0;
      for (const { before, after } of changes) grows += (after?.bytes ?? 0) - (before?.bytes ?? 0);
      const markBytes = mark === null ? 0 : changes.at(-1)!.after!.bytes;
      for (const change of changes) sum.apply(change);
      const most = grows < markBytes ? storageBytes + FREEING_BYTES : storageBytes;
      if (grows > 0 && sum.bytes > most) {
        this.#recountSoon(version);
        throw new KvError(
          "KV_QUOTA",
          `this space holds at most ${storageBytes} bytes: nothing was written; delete ` +
            "something first",
        );
      }
      const recount = this.#recount;
      recount?.begin(changes, version);
      const own: OwnPart = {
        checks: [{ key: BYTES, version }],
        writes: [{ key: BYTES, value: sum.toJSON() }],
        made: (made) => recount?.end(changes, made),
      };
      const result = await this.#attempt(request, mark, own, expires);
      if (result !== null) return result;
      // Another process was faster.
      await randomPause(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /** The writes of a commit, its mark last. */
  async #changesOf(
    { writes }: CommitRequest,
    mark: Mark | null,
    expires: number,
  ): Promise<readonly SizeChange[]> {
    // Of two writes of a key the later counts.
    const after = [...new Map(writes.map((write) => [write.key, write])).values()];
    const before = await Promise.all(after.map(({ key }) => this.#space.data.entry<unknown>(key)));
    const changes: SizeChange[] = after.map((write, i) => {
      const entry = before[i]!;
      return {
        key: DATA + write.key,
        before: entry && { bytes: sizeOf(entry), expires: entry.expires },
        after: sizedWrite(write),
      };
    });
    if (mark !== null)
      changes.push({
        key: mark.key,
        before: null,
        after: { bytes: sizeOf({ ...mark, metadata: null }), expires },
      });
    return changes;
  }

  async #stored(): Promise<StoredSum> {
    for (;;) {
      const entry = await this.#space.root.entry<unknown>(BYTES);
      const sum = StorageSum.of(entry?.value);
      if (sum !== null) {
        const version = entry!.version;
        // Others may have written without a limit before this server was started.
        if (this.#recountedAt === -Infinity) this.#recountSoon(version);
        sum.advance(Date.now());
        return { sum, version };
      }
      await this.#count();
    }
  }

  /** Counts the bytes of the space, while the writes of this process wait. */
  async #count(): Promise<void> {
    for (;;) {
      this.#forget();
      const before = await this.#space.root.entry(BYTES);
      if (await this.#replace(new Recount(before?.version ?? null), shortRests())) return;
    }
  }

  /** Counts the space in the background, unless that is going on or was done lately. */
  #recountSoon(version: string | null): void {
    const now = performance.now();
    const lately = this.#recount?.steppedAt ?? this.#recountedAt;
    if (now - lately < RECOUNT_EVERY) return;
    const recount = new Recount(version);
    this.#recount = recount;
    this.#recountedAt = now;
    void this.#replace(recount, longRests())
      .catch(() => {
        // The store is away or closed: the sum stays as it is, and the next refusal tries again.
      })
      .finally(() => {
        if (this.#recount === recount) this.#recount = null;
      });
  }

  /** Makes a count the stored sum. Resolves to whether no other process wrote meanwhile. */
  async #replace(recount: Recount, rest: Rest): Promise<boolean> {
    await recount.run(this.#space, rest);
    for (let left = TRIES; left > 0 && !recount.isSpoiled; left--) {
      const { ok } = await this.#space.root.commit(
        [{ key: BYTES, version: recount.version }],
        [{ key: BYTES, value: recount.sum.toJSON() }],
      );
      if (ok) {
        this.#recountedAt = performance.now();
        return true;
      }
      // A write of this process was made just now, and the count is told of it in a moment.
      await rest();
    }
    return false;
  }

  /** Gives up the count in the background: something changes that it is not told of. */
  #forget(): void {
    if (this.#recount !== null) this.#recount.isSpoiled = true;
    this.#recount = null;
    this.#recountedAt = -RECOUNT_EVERY;
  }
}

function sizedWrite({ key, value, metadata, expires }: CommitWrite): Sized | null {
  if (value === null) return null;
  return {
    bytes: sizeOf({ key, value, metadata: metadata as never }),
    expires: expires instanceof Date ? expires.getTime() : null,
  };
}
