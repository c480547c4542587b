import { KvError } from "../../errors.ts";
import { type LevelClient, type LevelOperation, rootOf, UTF8 } from "./database.ts";

interface Job {
  readonly db: LevelClient;
  readonly operations: readonly LevelOperation[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How many operations one batch has at most, unless a single write has more. */
const MOST = 1000;

const isDiskError = (error: unknown): boolean =>
  (Object(error) as { code?: unknown }).code === "LEVEL_IO_ERROR";
const isFull = (error: unknown): boolean =>
  /no space left|quota exceeded|file too large/i.test((error as Error).message);

/** The error for a write that LevelDB cannot keep. */
function refusal(cause: unknown): unknown {
  if (!isFull(cause)) return cause;
  const advice = "free some space on it, then close the database and open it again";
  return new KvError("KV_QUOTA", `the disk is full: nothing was written; ${advice}`, { cause });
}

/**
 * The writes of all stores over a database. One batch runs at a time. The next one takes all writes
 * that were called meanwhile.
 *
 * After a disk error LevelDB accepts writes again, behind a part of its log that the next open
 * cannot read: they would be lost then. So every write is rejected until the database was opened
 * again.
 */
class LevelWrites {
  readonly #root: LevelClient;
  readonly #queue: Job[] = [];
  #isRunning = false;
  #failure: unknown;

  constructor(root: LevelClient) {
    this.#root = root;
  }

  write(db: LevelClient, operations: readonly LevelOperation[]): Promise<void> {
    const result = new Promise<void>((resolve, reject) =>
      this.#queue.push({ db, operations, resolve, reject }),
    );
    if (!this.#isRunning) void this.#run();
    return result;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#queue.length > 0) await this.#batch(this.#next());
    this.#isRunning = false;
  }

  /** The first jobs that are on the same database or sublevel. */
  #next(): Job[] {
    const { db } = this.#queue[0]!;
    let count = 0;
    let size = 0;
    for (const job of this.#queue) {
      size += job.operations.length;
      if (job.db !== db || (count > 0 && size > MOST)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #batch(jobs: readonly Job[]): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      await jobs[0]!.db.batch(
        jobs.flatMap(({ operations }) => operations),
        UTF8,
      );
      for (const { resolve } of jobs) resolve();
    } catch (error) {
      if (isDiskError(error)) this.#fail(error);
      // One of them may be at fault.
      else if (jobs.length > 1 && this.#failure === undefined) {
        for (const job of jobs) await this.#batch([job]);
        return;
      }
      for (const { reject } of jobs) reject(this.#failure ?? error);
    }
  }

  #fail(error: unknown): void {
    this.#failure = refusal(error);
    this.#root.once?.("open", () => {
      this.#failure = undefined;
    });
  }
}

const found = new WeakMap<LevelClient, LevelWrites>();

/** Makes changes to a database in one step, in the order of the calls. */
export function writeBatch(db: LevelClient, operations: readonly LevelOperation[]): Promise<void> {
  const { root } = rootOf(db);
  const writes = found.get(root) ?? new LevelWrites(root);
  found.set(root, writes);
  return writes.write(db, operations);
}
