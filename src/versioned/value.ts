import type { Codec } from "../api.ts";
import { isKvError, KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import { checkedCopy } from "../record/json-fault.ts";
import { utf8Length } from "../record/utf8.ts";

/** The member that marks an encoded value. */
const MARK = "~";

/** The modulus of a counter: sums beyond it go on from 0. */
export const COUNTER_END: bigint = 2n ** 64n;

/** Whether something is a counter: a bigint of 64 bits without a sign. */
export const isCounter = (value: unknown): value is bigint =>
  typeof value === "bigint" && value >= 0n && value < COUNTER_END;

const hasMark = (value: unknown): value is { [MARK]: unknown; value?: unknown } =>
  typeof value === "object" && value !== null && Object.hasOwn(value, MARK);

/**
 * The stored form of a value: the value itself, except for `null` and bigints, which a store cannot
 * keep, and for objects that look like the encoding of these. `undefined` is `null`.
 */
export function encodeVersioned(value: unknown): unknown {
  if (value === null || value === undefined) return { [MARK]: "null" };
  if (typeof value === "bigint") return { [MARK]: "bigint", value: String(value) };
  return hasMark(value) ? { [MARK]: "object", value } : value;
}

/** The value that is kept so. A marked value of another program is taken as it is. */
export function decodeVersioned(stored: unknown): unknown {
  if (!hasMark(stored)) return stored;
  const { [MARK]: mark, value } = stored;
  if (mark === "null") return null;
  if (mark === "bigint" && typeof value === "string" && /^-?\d+$/.test(value)) return BigInt(value);
  return mark === "object" && hasMark(value) ? value : stored;
}

function encoded(codec: Codec, value: unknown): Json {
  try {
    return checkedCopy(codec.encode(value), "the encoded value");
  } catch (cause) {
    throw isKvError(cause)
      ? cause
      : new KvError("KV_INVALID_VALUE", "the codec cannot encode this value", { cause });
  }
}

/**
 * A value as it is at this moment: checked, and copied.
 *
 * @throws {KvError} KV_INVALID_VALUE for a value that cannot be stored, KV_TOO_LARGE for a value
 * whose JSON has more bytes of UTF-8 than the limit.
 */
export function settled(value: unknown, codec: Codec | undefined, limit: number): unknown {
  if (value === null || value === undefined) return null;
  const isBig = typeof value === "bigint";
  const json = isBig
    ? String(value)
    : codec === undefined
      ? checkedCopy(value)
      : encoded(codec, value);
  if (limit < Infinity) {
    const length = isBig ? String(json).length : utf8Length(JSON.stringify(json));
    if (length > limit)
      throw new KvError(
        "KV_TOO_LARGE",
        `a value has at most ${limit} bytes of JSON here, this one ${length}: keep it in parts`,
      );
  }
  return isBig ? value : codec === undefined ? json : codec.decode(json);
}
