import type { Codec, CommitCheck, CommitWrite, Entry } from "../api.ts";
import { MOST_CHECKS, MOST_WRITES, refuseMore } from "../atomic/limits.ts";
import { untilDone } from "../concurrency/retry.ts";
import { isKvError, KvError } from "../errors.ts";
import { deadline } from "../expires.ts";
import type { StoreContext } from "../store/context.ts";
import { checkOptions } from "../platform/options.ts";
import { within } from "../concurrency/timeout.ts";
import type { Turns } from "../store/turns.ts";
import { type Change, counter, expiryOf, type State } from "./change.ts";
import { behind, claimsOf } from "./claims.ts";
import { UNVERSIONED } from "./entry.ts";
import { type Index, placeIn, placeNow } from "./indexes.ts";
import { decodeKey, encodeKey, type Key } from "./key.ts";
import type { VersionedCommit, VersionedTransaction } from "./types.ts";
import { type Move, type IndexWrites, indexWritesOf } from "./index-writes.ts";
import { COUNTER_END, decodeVersioned, encodeVersioned, settled } from "./value.ts";

/** What a transaction works on. */
export interface TransactionBase {
  readonly context: StoreContext;
  readonly turns: Turns;
  readonly indexes: readonly Index[];
  readonly codec: Codec | undefined;
  readonly valueBytes: number;
  /** Told the texts of the keys that were written. */
  readonly wrote: (texts: readonly string[]) => void;
}

/** Those of an entry, and of what `set()` resolves to. */
const CHECK_MEMBERS = ["key", "version", "value", "ok"];

/** What a commit comes to when a place in a unique index is taken; `null` to begin again. */
type OnTaken = (index: Index) => VersionedCommit | null | Promise<VersionedCommit | null>;

/**
 * Begins a transaction. `onTaken` answers when an entry would be found by what another is found by
 * in a unique index.
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
  const self: VersionedTransaction = {
    check(...more) {
      for (const check of more) {
        checkOptions(check, CHECK_MEMBERS, "check()");
        const { key, version = null } = Object(check) as typeof check;
        if (version !== null && !(typeof version === "string" && /^[0-9a-f]{20}$/i.test(version)))
          throw new KvError(
            "KV_INVALID_VALUE",
            "a version is 20 hexadecimal digits, or null for absent",
          );
        checks.push({
          key: encodeKey(key),
          version: version === null ? null : version.toLowerCase(),
        });
      }
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
    sum: (key, by) =>
      add(
        key,
        counter("sum", by, (stored) => (stored + by) % COUNTER_END),
        true,
      ),
    min: (key, value) =>
      add(
        key,
        counter("min", value, (stored) => (stored < value ? stored : value)),
        true,
      ),
    max: (key, value) =>
      add(
        key,
        counter("max", value, (stored) => (stored > value ? stored : value)),
        true,
      ),
    async commit() {
      refuseMore(checks.length, MOST_CHECKS, "checks");
      refuseMore(changes.length, MOST_WRITES, "changes");
      // What is added while this one is under way is for the next.
      return commitInTurn(base, [...checks], [...changes], onTaken);
    },
  };
  return self;
}

/** What is to be written, and what that rests on. */
interface Plan extends IndexWrites {
  readonly texts: readonly string[];
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

/**
 * Reads what decides, and works out what is written. What refuses the changes is an answer: whether
 * the caller's own checks hold is said first.
 */
async function plan(
  { context, turns, indexes }: TransactionBase,
  changes: readonly Change[],
): Promise<Plan & { readonly refusal?: KvError }> {
  const store = turns.inside;
  const texts = [...new Set(changes.map(({ text }) => text))];
  const isIndexed = (text: string): boolean => indexes.some(({ base }) => text.startsWith(base));
  // What was there before matters to counters, unless something before them in the transaction
  // replaces it, and to indexes.
  const decisive = texts.filter(
    (text) => isIndexed(text) || changes.find((change) => change.text === text)!.isRelative,
  );
  const found = new Map<string, Entry<unknown> | null>(
    await Promise.all(
      decisive.map(async (text) => [text, await store.entry<unknown>(text)] as const),
    ),
  );
  const checks = decisive.map((text) => ({ key: text, version: found.get(text)?.version ?? null }));
  const before = new Map<string, State>();
  for (const [text, entry] of found)
    if (entry !== null)
      before.set(text, { value: decodeVersioned(entry.value), expires: undefined });

  const moves: Move[] = [];
  const writes: CommitWrite[] = [];
  try {
    const after = new Map<string, State | undefined>(before);
    for (const { text, apply } of changes) after.set(text, apply(after.get(text)));
    const now = Date.now();
    for (const text of texts) {
      const state = after.get(text);
      const at = deadline(state?.expires === undefined ? context.expires : state.expires, now);
      // As a moment, so that an entry and what indexes keep of it are gone together.
      const expires = at === null ? null : new Date(at);
      writes.push(
        state === undefined
          ? { key: text, value: null }
          : { key: text, value: encodeVersioned(state.value), expires },
      );
      const key = isIndexed(text) ? decodeKey(text)! : null;
      for (const index of key === null ? [] : indexes) {
        const old = before.get(text);
        moves.push({
          index,
          text,
          from: old === undefined ? null : placeNow(index, text, key!, old.value),
          to: state === undefined ? null : placeIn(index, text, key!, state.value),
          expires,
        });
      }
    }
  } catch (error) {
    if (!isKvError(error)) throw error;
    return { texts, checks, writes: [], taken: null, refusal: error };
  }
  const indexWrites = await indexWritesOf(store, moves);
  return {
    texts,
    checks: [...checks, ...indexWrites.checks],
    writes: [...writes, ...indexWrites.writes],
    taken: indexWrites.taken,
  };
}

/**
 * Works out the changes, and makes them if nothing has changed that they rest on. `null`: something
 * has, and everything begins again.
 */
async function attempt(
  base: TransactionBase,
  checks: readonly CommitCheck[],
  changes: readonly Change[],
  onTaken: OnTaken,
): Promise<VersionedCommit | null> {
  const { texts, checks: own, writes, taken, refusal } = await plan(base, changes);
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
