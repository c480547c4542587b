import { KvError } from "../../errors.ts";
import { StoredRecord } from "../../record/record.ts";
import {
  AnswerTooLarge,
  type EtcdAnswer,
  type EtcdCalls,
  type EtcdCompare,
  type EtcdKeyValue,
  type EtcdOperation,
  type EtcdTransaction,
} from "./calls.ts";
import { decodeText } from "./keys.ts";
import type { KvRecord } from "../../record/types.ts";
import { decodeRecord, foreign } from "../../record/text-format.ts";

/**
 * How many operations a server takes in one transaction unless it is told otherwise
 * (`--max-txn-ops`).
 */
export const MOST_OPERATIONS = 128;

/** How many keys one request reads, and how many writes it makes. */
const MANY = 1000;

/**
 * About how many bytes of keys and values one request writes, where they may be spread over
 * several.
 */
const BYTES = 1_000_000;

/** The version that users see of a revision. */
export function formatRevision(revision: string): string {
  return Number(revision).toString(16).padStart(20, "0");
}

/**
 * The record in an entry of the server, with its revision as the version; `null` for an item of
 * others. Without `values` only the head is read.
 */
export function keyValueRecord(
  { value, mod_revision }: EtcdKeyValue,
  key: string,
  values = true,
): KvRecord | null {
  const record = decodeRecord(decodeText(value), key, values);
  return (
    record &&
    new StoredRecord(record.value, record.expires, formatRevision(mod_revision), record.metadata)
  );
}

/** @throws {KvError} KV_FOREIGN for an item of others. */
export function checkedRecord(found: EtcdKeyValue | null, key: string): KvRecord | null {
  if (found === null) return null;
  const record = keyValueRecord(found, key);
  if (record === null) throw foreign(key);
  return record;
}

/**
 * The operations of a transaction with so many conditions. Operations beyond the limit of one level
 * are put into nested transactions: the server counts the operations of each level on top of the
 * enclosing ones.
 *
 * @throws {KvError} KV_TOO_LARGE.
 */
function nested(operations: readonly EtcdOperation[], conditions: number): EtcdOperation[] {
  if (operations.length <= MOST_OPERATIONS && conditions <= MOST_OPERATIONS) return [...operations];
  for (let outer = Math.max(1, conditions); outer < MOST_OPERATIONS; outer++) {
    const inner = MOST_OPERATIONS - outer;
    if (outer * inner < operations.length) continue;
    return Array.from({ length: Math.ceil(operations.length / inner) }, (_, i) => ({
      request_txn: { success: operations.slice(i * inner, (i + 1) * inner) },
    }));
  }
  throw new KvError(
    "KV_TOO_LARGE",
    `${operations.length} writes with ${conditions} conditions are more than etcd takes in one ` +
      "transaction (100 checks and 1,000 writes are not): make it smaller",
  );
}

const flat = (answers: readonly EtcdAnswer[]): EtcdAnswer[] =>
  answers.flatMap((answer) =>
    answer.response_txn ? flat(answer.response_txn.responses) : [answer],
  );

/** The answers, one for each read. */
export const found = (answers: readonly EtcdAnswer[]): (EtcdKeyValue | null)[] =>
  flat(answers).map(({ response_range }) => response_range?.kvs[0] ?? null);

/**
 * A transaction: the first operations when all conditions hold, the others when they do not.
 * @throws {KvError} KV_TOO_LARGE.
 */
export function encodeTransaction(
  compare: EtcdCompare[],
  success: readonly EtcdOperation[],
  failure: readonly EtcdOperation[] = [],
): EtcdTransaction {
  return {
    compare,
    success: nested(success, compare.length),
    failure: nested(failure, compare.length),
  };
}

/**
 * Several keys, each as the server has it, in one request. An answer that is too large for one is
 * asked for in parts.
 */
export async function readMany(
  calls: EtcdCalls,
  keys: readonly Uint8Array[],
): Promise<(EtcdKeyValue | null)[]> {
  if (keys.length === 0) return [];
  try {
    if (keys.length <= MANY)
      return found((await calls.call("txn", encodeTransaction([], reads(keys)))).responses);
  } catch (error) {
    if (!(error instanceof AnswerTooLarge) || keys.length === 1) throw error;
  }
  const half = Math.min(MANY, Math.ceil(keys.length / 2));
  return [
    ...(await readMany(calls, keys.slice(0, half))),
    ...(await readMany(calls, keys.slice(half))),
  ];
}

/** Reads of single keys. */
export const reads = (keys: readonly Uint8Array[]): EtcdOperation[] =>
  keys.map((key) => ({ request_range: { key } }));

/** The operations in parts that a request takes each. */
export function* splitOperations(
  operations: readonly EtcdOperation[],
): Generator<readonly EtcdOperation[]> {
  let part: EtcdOperation[] = [];
  let bytes = 0;
  for (const operation of operations) {
    const { key, value } = operation.request_put ?? {};
    const more = (key?.length ?? 0) + (value?.length ?? 0);
    if (part.length === MANY || (part.length > 0 && bytes + more > BYTES)) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(operation);
    bytes += more;
  }
  if (part.length > 0) yield part;
}
