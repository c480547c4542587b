import type { CommitCheck, CommitWrite, SetOptions, Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { checkWriteOptions } from "../platform/options.ts";
import type { CommitResult } from "../types.ts";
import { MOST_CHECKS, MOST_WRITES, refuseMore } from "./limits.ts";

/**
 * Checks and writes that are gathered, and take effect together or not at all. Every method but
 * `commit()` answers with the transaction itself.
 */
export interface Transaction {
  /**
   * Nothing is written unless each of these keys still has this version; `null` means that it is
   * absent. An entry of `store.entry()` will do; where that is `null`, so is the version. @throws
   * {KvError} KV_INVALID_VALUE for `null` itself.
   */
  check(...checks: readonly CommitCheck[]): Transaction;
  /** Sets, with the options of `store.set()`; `null` deletes. */
  set(key: string, value: unknown, options?: SetOptions): Transaction;
  del(key: string): Transaction;
  /**
   * Writes everything if all checks hold. A check that fails is a result, not an exception:
   * `failed` names the keys. Of two writes of one key the later counts.
   *
   * @throws {KvError} KV_NOT_SUPPORTED for a client without compare-and-set, KV_TOO_LARGE for more
   * than 100 checks or 1,000 writes, and the errors of `store.set()` for keys, values and options.
   */
  commit(): Promise<CommitResult>;
}

/**
 * Begins a transaction: all its changes are written together, and only if the checked keys have not
 * changed.
 *
 * How far it holds is `store.supports.atomic`: `"yes"` across processes, `"process"` among the
 * stores of this one.
 *
 * @example
 * import kv from "anykv";
 * import { atomic } from "anykv/atomic";
 *
 * const store = kv(new Map());
 * await store.setMany([["ann", 100], ["bob", 0]]);
 * const [ann, bob] = [await store.entry("ann"), await store.entry("bob")];
 * const { ok } = await atomic(store)
 *   .check(ann, bob)
 *   .set("ann", ann.value - 30)
 *   .set("bob", bob.value + 30)
 *   .commit();
 * console.log(ok, await store.all()); // true {"ann":70,"bob":30}
 */
export function atomic<V>(store: Store<V>): Transaction {
  const checks: CommitCheck[] = [];
  const writes: CommitWrite[] = [];
  const transaction: Transaction = {
    check(...more) {
      for (const check of more) {
        if (Object(check) !== check)
          throw new KvError(
            "KV_INVALID_VALUE",
            "a check is an entry or { key, version }: what is absent has no entry, and is " +
              "checked with { key, version: null }",
          );
        checks.push({ key: check.key, version: check.version });
      }
      return transaction;
    },
    set(key, value, options) {
      checkWriteOptions(options);
      writes.push({ ...options, key, value });
      return transaction;
    },
    del: (key) => transaction.set(key, null),
    async commit() {
      refuseMore(checks.length, MOST_CHECKS, "checks");
      refuseMore(writes.length, MOST_WRITES, "writes");
      // Changes that are added while this commit runs belong to the next one.
      return store.commit([...checks], [...writes]);
    },
  };
  return transaction;
}
