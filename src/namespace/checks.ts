import { deadline } from "../expires.ts";
import { checkOptions } from "../platform/options.ts";
import type { Expires, Json } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import type { Rules } from "./refusal.ts";
import type { GetOptions, ListKeysOptions, PutOptions, ValueType } from "./types.ts";
import { utf8Length } from "../record/utf8.ts";

// The limits of Workers KV.
const KEY_BYTES = 512;
const METADATA_BYTES = 1024;
const VALUE_BYTES = 25 * 1024 * 1024;
const SHORTEST_TTL = 60;
const SHORTEST_CACHE_TTL = 30;
const MOST_LISTED = 1000;
const MOST_READ = 100;
/** The last second of the year 9999. */
const LATEST = 253_402_300_799;

/** The operations of Workers KV, as its messages name them. */
type Method = "GET" | "GET_BULK" | "PUT" | "DELETE";

function checkLength(text: string, method: Method, { refuse }: Rules): void {
  const bytes = utf8Length(text);
  if (bytes > KEY_BYTES)
    refuse(
      "KV_TOO_LARGE",
      `KV ${method} failed: 414 UTF-8 encoded length of ${bytes} exceeds key length limit of ` +
        `${KEY_BYTES}.`,
    );
}

/** A key; with the rules of Workers KV the text of anything else. */
export function checkKey(key: unknown, method: Method, rules: Rules): string {
  const { isWorkers, refuse } = rules;
  if (typeof key !== "string" && !isWorkers)
    refuse(
      "KV_INVALID_KEY",
      `a key cannot be ${key === null ? "null" : `of the type ${typeof key}`}: pass a string`,
    );
  // A template refuses symbols, as Workers KV does.
  const name = `${key as string}`;
  const isBulk = method === "GET_BULK";
  if (name === "")
    refuse(
      "KV_INVALID_KEY",
      isBulk ? "KV GET_BULK failed: 400 Key names must not be empty" : "Key name cannot be empty.",
      isBulk ? Error : TypeError,
    );
  if (name === "." || name === "..") {
    if (isBulk)
      refuse(
        "KV_INVALID_KEY",
        `KV GET_BULK failed: 400 Illegal key name "${name}". Please use a different name.`,
      );
    refuse("KV_INVALID_KEY", `"${name}" is not allowed as a key name.`, TypeError);
  }
  if (!name.isWellFormed())
    refuse("KV_INVALID_KEY", `KV ${method} failed: 400 Could not URL-decode key name`);
  checkLength(name, method, rules);
  return name;
}

/** The distinct keys of a bulk read. */
export function checkKeys(keys: readonly unknown[], rules: Rules): string[] {
  const { refuse } = rules;
  if (keys.length > MOST_READ)
    refuse(
      "KV_TOO_LARGE",
      `KV GET_BULK failed: 400 You can request a maximum of ${MOST_READ} keys`,
    );
  if (keys.length < 1)
    refuse("KV_INVALID_VALUE", "KV GET_BULK failed: 400 You must request a minimum of 1 key");
  return [...new Set(keys.map((key) => checkKey(key, "GET_BULK", rules)))];
}

const TYPES: readonly unknown[] = ["text", "json", "arrayBuffer", "stream"];

/** @throws for an unknown type. */
export function checkType(type: unknown, { refuse }: Rules): asserts type is ValueType {
  if (!TYPES.includes(type))
    refuse(
      "KV_INVALID_VALUE",
      'Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".',
      TypeError,
    );
}

/** Whether something is neither options nor none. */
const isBare = (options: unknown): boolean =>
  options !== undefined && options !== null && Object(options) !== options;

/** The options of a write. A bare duration in their place would mean "never" by mistake. */
export function writingOf(options: unknown, { isWorkers, refuse }: Rules): PutOptions {
  if (!isWorkers)
    checkOptions(
      options ?? undefined,
      ["expiration", "expirationTtl", "metadata"],
      "put()",
      "KV_INVALID_EXPIRES",
    );
  // A binding ignores unknown options.
  else if (isBare(options))
    refuse(
      "KV_INVALID_EXPIRES",
      "Failed to execute 'put' on 'KvNamespace': parameter 3 is not of type 'PutOptions'.",
      TypeError,
    );
  return Object(options) as PutOptions;
}

/** The type that is asked for, not checked for existing keys alone: see {@link checkType}. */
export function typeOf(
  typeOrOptions: unknown,
  method: Method,
  rules: Rules,
  where: string,
): unknown {
  const { isWorkers, refuse } = rules;
  if (!isWorkers && Object(typeOrOptions) === typeOrOptions)
    checkOptions(typeOrOptions, ["type", "cacheTtl"], where);
  // A primitive is taken for a type.
  const { type, cacheTtl } = (
    isBare(typeOrOptions) ? { type: typeOrOptions } : Object(typeOrOptions)
  ) as GetOptions;
  if (cacheTtl !== undefined) {
    const seconds = isWorkers ? int32(cacheTtl, rules) : cacheTtl;
    if (!(seconds >= SHORTEST_CACHE_TTL))
      refuse(
        "KV_INVALID_VALUE",
        `KV ${method} failed: 400 Invalid cache_ttl of ${seconds}. Cache TTL must be at least ` +
          `${SHORTEST_CACHE_TTL}.`,
      );
  }
  const asked = type ?? "text";
  if (method === "GET_BULK" && asked !== "text" && asked !== "json")
    refuse(
      "KV_INVALID_VALUE",
      `KV GET_BULK failed: 400 "${String(asked)}" is not a valid type. Use "json" or "text"`,
    );
  // Workers KV finds out when there is something to convert.
  if (!isWorkers) checkType(asked, rules);
  return asked;
}

/** A 32-bit integer as Web IDL makes one of anything. */
function int32(value: unknown, { refuse }: Rules): number {
  // Number() would take a bigint.
  const number = Math.trunc(+(value as number));
  if (!Number.isFinite(number)) return 0;
  if (number !== (number | 0))
    refuse(
      "KV_INVALID_EXPIRES",
      `Value out of range. Must be between ${-(2 ** 31)} and ${2 ** 31 - 1} (inclusive).`,
      TypeError,
    );
  return number;
}

/**
 * The deadline of a write in seconds since 1970, `null` for none; one that has passed only by the
 * rules of this library.
 */
export function expirationOf(options: PutOptions, byDefault: Expires, rules: Rules): number | null {
  const now = Math.floor(Date.now() / 1000);
  const given = rules.isWorkers ? byWorkers(options, now, rules) : byOurs(options, now, rules);
  if (given !== undefined) return given;
  const at = deadline(byDefault, Date.now());
  return at && Math.min(Math.ceil(at / 1000), LATEST);
}

/** `null` is none, whatever the store's own; `undefined` is the store's own. */
function byOurs(
  { expiration, expirationTtl }: PutOptions,
  now: number,
  { refuse }: Rules,
): number | null | undefined {
  for (const [name, value, from] of [
    ["expiration", expiration, 0],
    ["expirationTtl", expirationTtl, now],
  ] as const) {
    // Never "forever" by mistake.
    const isFine =
      value === undefined ||
      value === null ||
      (Number.isInteger(value) && value >= 0 && from + value <= LATEST);
    if (!isFine)
      refuse(
        "KV_INVALID_EXPIRES",
        `${name} is a whole number of ` +
          `seconds${from === 0 ? " since 1970, not of milliseconds," : ""} from 0 up to the ` +
          "year 9999",
      );
  }
  if (typeof expiration === "number") return expiration;
  if (typeof expirationTtl === "number") return now + expirationTtl;
  return expiration === null || expirationTtl === null ? null : undefined;
}

function byWorkers(options: PutOptions, now: number, rules: Rules): number | undefined {
  const [expiration, ttl] = [options.expiration, options.expirationTtl].map((value) =>
    value === undefined ? null : int32(value, rules),
  ) as [number | null, number | null];
  const refuse = (what: string): never =>
    rules.refuse("KV_INVALID_EXPIRES", `KV PUT failed: 400 Invalid ${what}`);
  if (ttl !== null) {
    if (ttl <= 0) refuse(`expiration_ttl of ${ttl}. Please specify integer greater than 0.`);
    if (ttl < SHORTEST_TTL)
      refuse(`expiration_ttl of ${ttl}. Expiration TTL must be at least ${SHORTEST_TTL}.`);
    return now + ttl;
  }
  if (expiration === null) return undefined;
  if (expiration <= now)
    refuse(
      `expiration of ${expiration}. Please specify integer greater than the current number of ` +
        "seconds since the UNIX epoch.",
    );
  if (expiration < now + SHORTEST_TTL)
    refuse(
      `expiration of ${expiration}. Expiration times must be at least ${SHORTEST_TTL} seconds ` +
        "in the future.",
    );
  return expiration;
}

/** A copy of the metadata of a write. */
export function metadataOf({ metadata }: PutOptions, { isWorkers, refuse }: Rules): Json {
  if (metadata === undefined || metadata === null) return null;
  const text = JSON.stringify(
    isWorkers ? metadata : checkedCopy(metadata, "metadata", "it has to be JSON"),
  ) as string | undefined;
  if (text === undefined) return null;
  const bytes = utf8Length(text);
  if (bytes > METADATA_BYTES)
    refuse(
      "KV_TOO_LARGE",
      `KV PUT failed: 413 Metadata length of ${bytes} exceeds limit of ${METADATA_BYTES}.`,
    );
  return JSON.parse(text) as Json;
}

export function checkSize(bytes: number, { refuse }: Rules): void {
  if (bytes > VALUE_BYTES)
    refuse(
      "KV_TOO_LARGE",
      `KV PUT failed: 413 Value length of ${bytes} exceeds limit of ${VALUE_BYTES}.`,
    );
}

export function checkTotal(characters: number, { refuse }: Rules): void {
  if (characters > VALUE_BYTES)
    refuse(
      "KV_TOO_LARGE",
      "KV GET_BULK failed: 413 Total size of request exceeds the limit of 25MB",
    );
}

/** The checked options of a listing. */
export interface Listing {
  readonly prefix: string;
  readonly limit: number;
  readonly cursor: string | null;
}

export function listingOf(options: unknown, rules: Rules): Listing {
  const { isWorkers, refuse } = rules;
  if (!isWorkers) checkOptions(options ?? undefined, ["prefix", "limit", "cursor"], "list()");
  else if (isBare(options))
    refuse(
      "KV_INVALID_VALUE",
      "Failed to execute 'list' on 'KvNamespace': parameter 1 is not of type 'ListOptions'.",
      TypeError,
    );
  const { prefix, limit, cursor } = Object(options) as ListKeysOptions;
  const asked: unknown =
    isWorkers && limit !== undefined ? int32(limit, rules) : (limit ?? undefined);
  const most =
    asked === undefined || (isWorkers && (asked as number) <= 0) ? MOST_LISTED : (asked as number);
  if (most > MOST_LISTED)
    refuse(
      "KV_INVALID_VALUE",
      `KV GET failed: 400 Invalid key_count_limit of ${most}. Please specify an integer less ` +
        `than ${MOST_LISTED}.`,
    );
  if (!Number.isInteger(most) || most < 1)
    refuse("KV_INVALID_VALUE", `limit is a whole number from 1 to ${MOST_LISTED}`);
  if (!isWorkers && typeof (prefix ?? "") !== "string")
    refuse("KV_INVALID_KEY", `a prefix cannot be of the type ${typeof prefix}: pass a string`);
  const start = `${prefix ?? ""}`;
  if (!start.isWellFormed())
    refuse(
      "KV_INVALID_KEY",
      "a prefix cannot be a text with a lone surrogate: pass a well-formed string",
    );
  checkLength(start, "GET", rules);
  return { prefix: start, limit: most, cursor: `${cursor ?? ""}` || null };
}
