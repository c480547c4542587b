import type { Codec, CommitCheck } from "../api.ts";
import { MOST_CHECKS, MOST_WRITES, refuseMore } from "../atomic/limits.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import type { StoreContext } from "../store/context.ts";
import { checkOptions } from "../platform/options.ts";
import { within } from "../concurrency/timeout.ts";
import type { Turns } from "../store/turns.ts";
import { type Change, counter, expiryOf, type State } from "./change.ts";
import { behind, claimsOf } from "./claims.ts";
import { UNVERSIONED } from "./entry.ts";
import type { Index } from "./indexes.ts";
import { encodeKey, type Key } from "./key.ts";
import type { VersionedCheck, VersionedCommit, VersionedTransaction } from "./types.ts";
import { planOf } from "./plan.ts";
import { COUNTER_END, settled } from "./value.ts";

/** The store of a transaction and its options. */
export interface TransactionBase {
  readonly context: StoreContext;
  readonly turns: Turns;
  readonly indexes: readonly Index[];
  readonly codec: Codec | undefined;
  readonly valueBytes: number;
  /** Receives the texts of the keys that were written. */
  readonly wrote: (texts: readonly string[]) => void;
}

/** The members of an entry and of the result of `set()`: both may be passed as a check. */
const CHECK_MEMBERS = ["key", "version", "value", "ok"];

/** The result of a commit when a place in a unique index is taken; `null` to begin again. */
type OnTaken = (index: Index) => VersionedCommit | null | Promise<VersionedCommit | null>;

/** A check as the store takes it. @throws {KvError} KV_INVALID_VALUE, KV_INVALID_KEY. */
function checkOf(check: VersionedCheck): CommitCheck {
  checkOptions(check, CHECK_MEMBERS, "check()");
  const { key, version = null } = Object(check) as typeof check;
  if (version !== null && !(typeof version === "string" && /^[0-9a-f]{20}$/i.test(version)))
    throw new KvError("KV_INVALID_VALUE", "a version is 20 hexadecimal digits, or null for absent");
  return { key: encodeKey(key), version: version === null ? null : version.toLowerCase() };
}

/**
 * Begins a transaction. `onTaken` determines its result when another entry has a place in a unique
 * index already.
 */
export function transaction(
  base: TransactionBase,
  onTaken: OnTaken = () => ({ ok: false }),
): VersionedTransaction {
  const checks: CommitCheck[] = [];
  const changes: Change[] = [];
  const add = (key: Key, apply: Change["apply"], isRelative = false): VersionedTransaction => {
    changes.push({ text: encodeKey(key), isRelative, apply });
    return self;
  };
  const count = (
    name: string,
    key: Key,
    by: bigint,
    next: (stored: bigint) => bigint,
  ): VersionedTransaction => add(key, counter(name, by, next), true);
  const self: VersionedTransaction = {
    check(...more) {
      for (const check of more) checks.push(checkOf(check));
      return self;
    },
    set(key, value, options) {
      const state: State = {
        value: settled(value, base.codec, base.valueBytes),
        expires: expiryOf(options),
      };
      return add(key, () => state);
    },
    delete: (key) => add(key, () => undefined),
    sum: (key, by) => count("sum", key, by, (stored) => (stored + by) % COUNTER_END),
    min: (key, value) => count("min", key, value, (stored) => (stored < value ? stored : value)),
    max: (key, value) => count("max", key, value, (stored) => (stored > value ? stored : value)),
    async commit() {
      refuseMore(checks.length, MOST_CHECKS, "checks");
      refuseMore(changes.length, MOST_WRITES, "changes");
      // Copies: later additions are for the next commit.
      return commitInTurn(base, [...checks], [...changes], onTaken);
    },
  };
  return self;
}

/** Commits in call order, as one operation on all keys that it reads and writes. */
function commitInTurn(
  base: TransactionBase,
  checks: readonly CommitCheck[],
  changes: readonly Change[],
  onTaken: OnTaken,
): Promise<VersionedCommit> {
  const { context, indexes, turns } = base;
  const scope = { write: claimsOf(indexes, checks, changes) };
  const isUnique = indexes.some(
    (index) => index.isUnique && changes.some(({ text }) => text.startsWith(index.base)),
  );
  if (!isUnique)
    return turns.run(scope, () => untilDone(() => attempt(base, checks, changes, onTaken)));
  return behind(context.connection, (earlier) => {
    let isCertain = false;
    // An earlier commit may free the place before it is over.
    const taken = async (index: Index): Promise<VersionedCommit | null> => {
      if (isCertain) return onTaken(index);
      await within(earlier, context.timeout).catch(() => {});
      isCertain = true;
      return null;
    };
    return turns.run(scope, () => untilDone(() => attempt(base, checks, changes, taken)));
  });
}

/** Deletes in call order. Resolves to whether there was something. */
export function deleteInTurn(base: TransactionBase, text: string): Promise<boolean> {
  const { inside } = base.turns;
  const attemptOnce = async (): Promise<boolean | null> => {
    const entry = await inside.entry<unknown>(text);
    // A client that cannot delete rejects, whether or not there is an entry.
    if (entry === null && inside.supports.atomic === "no") await inside.commit([], []);
    if (entry === null) return false;
    const result = await attempt(
      base,
      [{ key: text, version: entry.version ?? UNVERSIONED }],
      [{ text, isRelative: false, apply: () => undefined }],
      () => null,
    );
    return result?.ok || null;
  };
  const once = (): Promise<boolean> =>
    base.turns.run({ write: [text] }, () => untilDone(attemptOnce));
  return base.indexes.some(({ isUnique }) => isUnique)
    ? behind(base.context.connection, once)
    : once();
}

/** Plans the changes and commits them. `null`: another write came meanwhile, begin again. */
async function attempt(
  base: TransactionBase,
  checks: readonly CommitCheck[],
  changes: readonly Change[],
  onTaken: OnTaken,
): Promise<VersionedCommit | null> {
  const {
    texts,
    checks: own,
    writes,
    taken,
    refusal,
  } = await planOf(base.turns.inside, base.indexes, base.context.expires, changes);
  const asked = new Set(checks.map(({ key, version }) => `${version} ${key}`));
  const all = [...checks, ...own.filter(({ key, version }) => !asked.has(`${version} ${key}`))];
  const isRefused = taken !== null || refusal !== undefined;
  const result = await base.turns.inside.commit(all, isRefused ? [] : writes);
  if (!result.ok)
    return checks.some(({ key }) => result.failed.includes(key)) ? { ok: false } : null;
  if (refusal !== undefined) throw refusal;
  if (taken !== null) return onTaken(taken);
  base.wrote(texts);
  return { ok: true, version: result.version };
}
