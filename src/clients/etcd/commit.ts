import { failedChecks } from "../../record/freshness.ts";
import type { CommitResult } from "../../types.ts";
import {
  AnswerTooLarge,
  type EtcdAnswer,
  type EtcdCalls,
  type EtcdCompare,
  type EtcdKeyValue,
  type EtcdOperation,
} from "./calls.ts";
import { type EtcdKeys, decodeText } from "./keys.ts";
import {
  formatRevision,
  found,
  MOST_OPERATIONS,
  checkedRecord,
  readMany,
  reads,
  encodeTransaction,
} from "./transactions.ts";
import type { Check, KvRecord, Write } from "../../record/types.ts";
import { decodeRecord } from "../../record/text-format.ts";
import { versionOf } from "../../record/version.ts";

/** How many earlier writes of a key are looked at for one's own. */
const STEPS = 200;

/** Makes work with the operations of writes. */
type Leased = <T>(
  writes: readonly Write[],
  work: (operations: readonly EtcdOperation[]) => Promise<T>,
) => Promise<T>;

/** The revision of a version; one that no key has, for a version that is none of this server's. */
function revisionOf(version: string): number {
  const revision = /^0{6}[0-9a-f]{14}$/.test(version) ? Number.parseInt(version, 16) : 0;
  return Number.isSafeInteger(revision) && revision > 0 ? revision : -1;
}

/** A set of checks, and how the server is asked about them. */
class EtcdChecks {
  readonly #checks: readonly Check[];
  readonly #keys: readonly string[];
  readonly #bytes: readonly Uint8Array[];
  #seen: (EtcdKeyValue | null)[] | null = null;

  constructor(checks: readonly Check[], keys: EtcdKeys) {
    this.#checks = checks;
    this.#keys = [...new Set(checks.map(({ key }) => key))];
    this.#bytes = this.#keys.map((key) => keys.bytes(key));
  }

  /** The record under a key, from the answers so far. @throws {KvError} KV_FOREIGN. */
  record(key: string): KvRecord | null {
    return checkedRecord(this.#seen![this.#keys.indexOf(key)]!, key);
  }

  /** Looks at what is stored. */
  async look(calls: EtcdCalls): Promise<void> {
    this.#seen = await readMany(calls, this.#bytes);
  }

  /** The reads of a failed transaction. */
  saw(answers: readonly EtcdAnswer[]): void {
    this.#seen = found(answers);
  }

  /** Reads of the keys: the operations of a transaction whose conditions fail. */
  get reads(): EtcdOperation[] {
    return reads(this.#bytes);
  }

  /**
   * The conditions. A key that was read has not changed since. Before that: that it has the
   * version, and no deadline, which the server could not judge; or that it is not there. `null`
   * when those are too many.
   */
  conditions(now: number): EtcdCompare[] | null {
    const seen = this.#seen;
    if (seen !== null)
      return this.#bytes.map((key, i) => ({
        key,
        target: "Mod",
        result: "Equal",
        mod_revision: Number(seen[i]?.mod_revision ?? 0),
      }));
    const guessed = this.#checks.flatMap(({ key: name, version }): EtcdCompare[] => {
      const key = this.#bytes[this.#keys.indexOf(name)]!;
      if (version === null) return [{ key, target: "Create", result: "Equal", create_revision: 0 }];
      const same: EtcdCompare = {
        key,
        target: "Mod",
        result: "Equal",
        mod_revision: revisionOf(version),
      };
      // At moment 0 nothing has expired.
      return now === 0 ? [same] : [same, { key, target: "Lease", result: "Equal", lease: 0 }];
    });
    return guessed.length > MOST_OPERATIONS / 4 ? null : guessed;
  }
}

/**
 * The revision at which a commit was made whose answer was lost, `null` when it was not made: looks
 * for the version that it alone has written, back to a revision from before it.
 *
 * @throws the reason that its answer was lost when that cannot be told any more.
 */
async function revisionOfLost(
  calls: EtcdCalls,
  keys: EtcdKeys,
  writes: readonly Write[],
  since: number,
  reason: unknown,
): Promise<string | null> {
  if (writes.length === 0) return null;
  const written = writes.find(({ record }) => record !== null);
  if (written === undefined) throw reason;
  const version = versionOf(written.record!);
  let revision = 0;
  for (let step = 0; step < STEPS; step++) {
    const { kvs } = await calls.call("range", { key: keys.bytes(written.key), revision });
    // Deleted, or forgotten by a compaction: the old value is lost.
    if (kvs[0] === undefined) throw reason;
    const { value, mod_revision } = kvs[0];
    if (decodeRecord(decodeText(value), written.key, false)?.version === version)
      return mod_revision;
    revision = Number(mod_revision) - 1;
    if (revision <= since) return null;
  }
  throw reason;
}

/**
 * All writes or none, if all checks hold. A check that the server cannot evaluate is evaluated
 * here, and the key must not change until the commit.
 */
export async function commitToEtcd(
  calls: EtcdCalls,
  keys: EtcdKeys,
  leased: Leased,
  checks: readonly Check[],
  writes: readonly Write[],
  now: number,
): Promise<CommitResult> {
  const asked = new EtcdChecks(checks, keys);
  const since = calls.revision;
  for (;;) {
    const conditions = asked.conditions(now);
    if (conditions === null) await asked.look(calls);
    else {
      let lost: { readonly reason: unknown } | undefined;
      const onRepeat = (reason: unknown): void => void (lost = { reason });
      const answer = await leased(writes, (operations) =>
        calls.call("txn", encodeTransaction(conditions, operations, asked.reads), onRepeat),
      ).catch((error) => {
        // Only reads have large answers: the conditions have failed.
        if (error instanceof AnswerTooLarge) return null;
        throw error;
      });
      if (answer?.succeeded) return { ok: true, version: formatRevision(answer.header.revision) };
      const revision =
        lost === undefined ? null : await revisionOfLost(calls, keys, writes, since, lost.reason);
      if (revision !== null) return { ok: true, version: formatRevision(revision) };
      if (answer === null) await asked.look(calls);
      else asked.saw(answer.responses);
    }
    const failed = failedChecks(checks, (key) => asked.record(key), now);
    if (failed.length > 0) return { ok: false, failed };
  }
}
