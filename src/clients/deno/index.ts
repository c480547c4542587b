import { KvError } from "../../errors.ts";
import { DENO } from "../manifests.ts";
import { failedChecks } from "../../record/freshness.ts";
import {
  add,
  checkCommit,
  type DenoAtomic,
  type DenoEntry,
  type DenoKey,
  type DenoKeyPart,
  type DenoWrite,
  grouped,
  keyBytes,
  ownRecordOf,
  encodeKeyPart,
  retryBusy,
  toWrite,
} from "./atomic.ts";
import { type DenoList, denoPage } from "./page.ts";
import type { CommitResult } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

export type { DenoAtomic, DenoEntry, DenoKey, DenoKeyPart } from "./atomic.ts";
export type { DenoList } from "./page.ts";

/** The part of a `Deno.Kv` that is used. */
export interface DenoKv extends DenoList {
  get(key: DenoKey): Promise<DenoEntry>;
  getMany(keys: DenoKey[]): Promise<DenoEntry[]>;
  atomic(): DenoAtomic;
  close(): void;
}

/** Options of {@link deno}. */
export interface DenoOptions {
  /**
   * The parts in front of each key: the key of a record is `[...prefix, key]`. Default `["anykv"]`.
   */
  prefix?: readonly DenoKeyPart[];
}

// The limits of one call to Deno.
const MOST_KEYS = 10;
// The bytes of the parts before the key, of 2,048 for an encoded key: the rest holds any key of 512
// bytes.
const LONGEST_PREFIX = 1000;

/** The records in a Deno KV, under keys that begin with the parts `before`. */
class DenoRecords {
  readonly #db: DenoKv;
  readonly #before: DenoKey;

  constructor(db: DenoKv, before: DenoKey) {
    this.#db = db;
    this.#before = before;
  }

  #keyOf(key: string): DenoKey {
    return [...this.#before, encodeKeyPart(key)];
  }

  async get(key: string): Promise<KvRecord | null> {
    return ownRecordOf(await retryBusy(() => this.#db.get(this.#keyOf(key))), key);
  }

  async getMany(keys: readonly string[]): Promise<(KvRecord | null)[]> {
    return (await this.#entries(keys)).map((entry, i) => ownRecordOf(entry, keys[i]!));
  }

  async #entries(keys: readonly string[]): Promise<DenoEntry[]> {
    const parts = Array.from({ length: Math.ceil(keys.length / MOST_KEYS) }, (_, i) =>
      keys.slice(i * MOST_KEYS, (i + 1) * MOST_KEYS),
    );
    const read = (part: readonly string[]): Promise<DenoEntry[]> =>
      retryBusy(() => this.#db.getMany(part.map((key) => this.#keyOf(key))));
    return (await Promise.all(parts.map(read))).flat();
  }

  #changesOf(writes: readonly Write[]): DenoWrite[] {
    return writes.map((each) => toWrite(this.#keyOf(each.key), each));
  }

  #operation(writes: readonly DenoWrite[]): DenoAtomic {
    const atomic = this.#db.atomic();
    for (const each of writes) add(atomic, each);
    return atomic;
  }

  async write(writes: readonly Write[]): Promise<void> {
    const only = writes.length === 1 ? writes[0]!.key : undefined;
    for (const group of grouped(this.#changesOf(writes)))
      await retryBusy(() => this.#operation(group).commit(), only);
  }

  async commit(
    checks: readonly Check[],
    writes: readonly Write[],
    now: number,
  ): Promise<CommitResult> {
    const changes = this.#changesOf(writes);
    checkCommit(checks.length, changes);
    const keys = checks.map(({ key }) => key);
    for (;;) {
      const found = await this.#entries(keys);
      const failed = failedChecks(
        checks,
        (key, place) => ownRecordOf(found[place]!, key, false),
        now,
      );
      if (failed.length > 0) return { ok: false, failed };
      const result = await retryBusy(() => {
        const atomic = this.#operation(changes);
        // An expired record counts as absent and may still be stored: the checks name the entries
        // that were compared.
        for (const [i, { versionstamp }] of found.entries())
          atomic.check({ key: this.#keyOf(keys[i]!), versionstamp });
        return atomic.commit();
      });
      if (result.ok) return { ok: true, version: result.versionstamp };
    }
  }
}

/**
 * Keeps records in a Deno KV database, opened with `Deno.openKv()` in Deno, or with `openKv()` of
 * `@deno/kv` in Node. A missing key is `null`; versions are versionstamps, and `commit` is an
 * atomic operation, which holds across processes. Deno gets each deadline as `expireIn`, some
 * seconds later, since it may drop an expired entry at any time.
 *
 * Records are under `["anykv", key]`, or behind another prefix of yours. Everything else in the
 * database is left alone: it is neither listed nor cleared.
 *
 * A record takes up to 64 KiB, a key with its prefix up to 1,000 bytes, a commit up to 100 checks
 * (10 with `@deno/kv`) and 1,000 writes of 800 kB together. Processes that share a file wait for
 * one another.
 *
 * @throws {KvError} KV_TOO_LARGE past these, and nothing is written; KV_INVALID_CLIENT for a prefix
 * of more than 1,000 bytes.
 * @example
 * ```js deno
 * import kv from "anykv";
 *
 * const store = kv(await Deno.openKv(":memory:"));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 * await store.close();
 * ```
 */
export const deno: ClientFactory<DenoKv, DenoOptions> = defineClient({
  ...DENO,
  options: ["prefix"],
  open(db: DenoKv, { prefix: before = ["anykv"] }: DenoOptions): Adapter {
    if (keyBytes(before) > LONGEST_PREFIX)
      throw new KvError(
        "KV_INVALID_CLIENT",
        `the prefix takes ${keyBytes(before)} bytes: Deno KV leaves room for up to ` +
          `${LONGEST_PREFIX}`,
      );
    const records = new DenoRecords(db, before);
    return {
      get: (key) => records.get(key),
      getMany: (keys) => records.getMany(keys),
      set: (key, record) => records.write([{ key, record }]),
      del: (key) => records.write([{ key, record: null }]),
      setMany: (writes) => records.write(writes),
      page: (query) => retryBusy(() => denoPage(db, before, query)),
      commit: (checks, writes, now) => records.commit(checks, writes, now),
      close() {
        try {
          db.close();
        } catch {
          // Its owner has closed it.
        }
      },
    };
  },
});
