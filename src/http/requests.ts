import { KvError, type KvErrorCode } from "../errors.ts";
import type { CommitCheck, CommitWrite } from "../api.ts";
import { HTTP } from "../clients/manifests.ts";
import type { Json, Supports } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import type { Fields } from "./body.ts";
import type { PageQuery } from "../clients/adapter.ts";
import { utf8Length } from "../record/utf8.ts";

/** How many keys or writes a request has at most. */
export const MOST_KEYS = 1000;
/** A commit may have more: transactions add their own to those of their users. */
export const MOST_IN_COMMIT = 2500;
/** How many keys an event stream has at most. */
export const MOST_WATCHED = 100;

const KEY_BYTES = (HTTP.supports as Supports).keyBytes;
/** 9999-12-31T23:59:59.999Z */
const LATEST = 253_402_300_799_999;

const invalid = (message: string, code: KvErrorCode = "KV_INVALID_VALUE"): KvError =>
  new KvError(code, message);

/**
 * @throws {KvError} KV_INVALID_VALUE for members of other names: one that is misspelt must not
 * count as missing.
 */
function only(fields: Fields, ...names: string[]): void {
  for (const name of Object.keys(fields))
    if (!names.includes(name))
      throw invalid(`there is no member of this name here: the members are ${names.join(", ")}`);
}

function objects(value: unknown, name: string, most: number): readonly Fields[] {
  const list = listOf(value, name, most);
  if (list.every((item) => typeof item === "object" && item !== null && !Array.isArray(item)))
    return list as readonly Fields[];
  throw invalid(`"${name}" is a list of objects`);
}

function listOf(value: unknown, name: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`"${name}" is a list`);
  if (value.length > most)
    throw invalid(`"${name}" has at most ${most} items: split the request`, "KV_TOO_LARGE");
  return value;
}

function keyIn(value: unknown): string {
  if (typeof value !== "string" || value === "" || !value.isWellFormed())
    throw invalid("a key is a non-empty, well-formed string", "KV_INVALID_KEY");
  if (value.length * 3 > KEY_BYTES && utf8Length(value) > KEY_BYTES)
    throw invalid(`a key has at most ${KEY_BYTES} bytes of UTF-8`, "KV_TOO_LARGE");
  return value;
}

function prefixIn(value: unknown = ""): string {
  return value === "" ? value : keyIn(value);
}

function flag(value: unknown, name: string, missing: boolean): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? missing;
  throw invalid(`"${name}" is true or false`);
}

function deadlineIn(value: unknown): Date | null {
  if (value === null) return null;
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LATEST)
    return new Date(value as number);
  throw invalid(
    '"expires" is a moment in milliseconds since 1970, a whole number up to the year 9999, or ' +
      "null for never",
    "KV_INVALID_EXPIRES",
  );
}

function jsonIn(value: unknown, name: string, bytes: number, key: string): Json {
  // Also rejects values that nest too deep to be written as text.
  const copy = checkedCopy(value, name);
  const length = bytes === Infinity ? 0 : utf8Length(JSON.stringify(copy));
  if (length > bytes)
    throw new KvError(
      "KV_TOO_LARGE",
      `a ${name} has at most ${bytes} bytes of JSON here, this one ${length}: keep it in parts`,
      { key },
    );
  return copy;
}

function writeIn(fields: Fields, valueBytes: number): CommitWrite {
  only(fields, "key", "value", "expires", "metadata");
  const key = keyIn(fields.key);
  if (fields.value === undefined) throw invalid('each write has a "value": null deletes');
  return {
    key,
    value: jsonIn(fields.value, "value", valueBytes, key),
    expires: deadlineIn(fields.expires ?? null),
    metadata: jsonIn(fields.metadata ?? null, "metadata", valueBytes, key),
  };
}

function checkIn(fields: Fields): CommitCheck {
  only(fields, "key", "version");
  const { version } = fields;
  if (version !== null && !(typeof version === "string" && version.length <= 100))
    throw invalid('each check has the "version" of an entry: null means absent');
  return { key: keyIn(fields.key), version };
}

/** Keys to read. */
export function getRequest(fields: Fields): { keys: readonly string[]; values: boolean } {
  only(fields, "keys", "values");
  return {
    keys: listOf(fields.keys, "keys", MOST_KEYS).map(keyIn),
    values: flag(fields.values, "values", true),
  };
}

/** The writes. */
export function setRequest(fields: Fields, valueBytes: number): readonly CommitWrite[] {
  only(fields, "writes");
  return objects(fields.writes, "writes", MOST_KEYS).map((write) => writeIn(write, valueBytes));
}

/** The writes of a commit. */
export interface CommitRequest {
  readonly checks: readonly CommitCheck[];
  readonly writes: readonly CommitWrite[];
  /** Tells this commit from all others, so that it is made once, however often it is sent. */
  readonly id: string | null;
}

/** A transaction. */
export function commitRequest(fields: Fields, valueBytes: number): CommitRequest {
  only(fields, "checks", "writes", "id");
  const { checks = [], writes = [], id = null } = fields;
  if (id !== null && !(typeof id === "string" && /^[\w-]{16,64}$/.test(id)))
    throw invalid('"id" is 16 to 64 letters, digits, "_" and "-", made by chance');
  return {
    checks: objects(checks, "checks", MOST_IN_COMMIT).map(checkIn),
    writes: objects(writes, "writes", MOST_IN_COMMIT).map((write) => writeIn(write, valueBytes)),
    id,
  };
}

/** A page of a listing. */
export function listRequest(fields: Fields): PageQuery {
  only(fields, "prefix", "after", "limit", "reverse", "values");
  const { limit = 100, after = null } = fields;
  const prefix = prefixIn(fields.prefix);
  if (!(Number.isSafeInteger(limit) && (limit as number) >= 1 && (limit as number) <= MOST_KEYS))
    throw invalid(`"limit" is a whole number from 1 to ${MOST_KEYS}`);
  if (after !== null && !keyIn(after).startsWith(prefix))
    throw invalid('"after" is a key that starts with the prefix', "KV_INVALID_CURSOR");
  return {
    prefix,
    after: after as string | null,
    limit: limit as number,
    reverse: flag(fields.reverse, "reverse", false),
    values: flag(fields.values, "values", true),
  };
}

/** A key and its new deadline. */
export function touchRequest(fields: Fields): { key: string; expires: Date | null } {
  only(fields, "key", "expires");
  return { key: keyIn(fields.key), expires: deadlineIn(fields.expires) };
}

/** Everything under a prefix. */
export function prefixRequest(fields: Fields): string {
  only(fields, "prefix");
  return prefixIn(fields.prefix);
}

/** Prefixes whose changes are reported. */
export function changesRequest(fields: Fields): readonly string[] {
  only(fields, "prefixes");
  return listOf(fields.prefixes, "prefixes", MOST_WATCHED).map(prefixIn);
}

/** Keys to watch. */
export function watchRequest(fields: Fields): readonly string[] {
  only(fields, "keys");
  return listOf(fields.keys, "keys", MOST_WATCHED).map(keyIn);
}
