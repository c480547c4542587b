import { binaryOf, bytesOf } from "../record/bytes.ts";
import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";

/** A value as a namespace has it: a text as it was given, anything else as bytes. */
export type Payload = string | Uint8Array<ArrayBuffer>;

/** The properties of a key beside its value: all that listings read. */
export interface Head {
  readonly metadata: Json;
  /** Seconds since 1970, `null` for never. */
  readonly expiration: number | null;
}

/**
 * The value and metadata of a key, in one record: no reader sees the value of one write with the
 * metadata of another.
 */
export interface Kept extends Head {
  readonly payload: Payload;
}

type Members = { [name: string]: Json };

/** What a record says beside the value: nothing of what there is not. */
function membersOf({ metadata, expiration }: Head): Members {
  return { ...(expiration !== null && { expiration }), ...(metadata !== null && { metadata }) };
}

const headOf = ({ metadata = null, expiration = null }: Members): Head => ({
  metadata,
  expiration: expiration as number | null,
});

/**
 * The value of a record: JSON, or bytes where the client keeps them, behind a head in JSON and a
 * zero, which no JSON holds.
 */
export function encodeKept(kept: Kept, keepsBytes: boolean): Json | Uint8Array {
  const { payload } = kept;
  if (typeof payload === "string") return { ...membersOf(kept), text: payload };
  if (!keepsBytes) return { ...membersOf(kept), base64: btoa(binaryOf(payload)) };
  const head = new TextEncoder().encode(JSON.stringify(membersOf(kept)));
  const all = new Uint8Array(head.length + 1 + payload.length);
  all.set(head);
  all.set(payload, head.length + 1);
  return all;
}

/**
 * The reverse. The bytes may be a part of a larger buffer.
 *
 * @throws {KvError} KV_CORRUPT for a record of another form.
 */
export function decodeKept(value: unknown, key: string): Kept {
  try {
    if (value instanceof Uint8Array) {
      const end = value.indexOf(0);
      const members = JSON.parse(new TextDecoder().decode(value.subarray(0, end))) as Members;
      return { ...headOf(members), payload: value.subarray(end + 1) as Uint8Array<ArrayBuffer> };
    }
    const members = value as Members;
    if (typeof members["text"] === "string")
      return { ...headOf(members), payload: members["text"] };
    return { ...headOf(members), payload: bytesOf(atob(members["base64"] as string)) };
  } catch {
    throw new KvError(
      "KV_CORRUPT",
      `the record under ${JSON.stringify(key)} is none of a namespace: put() replaces it, ` +
        "delete() removes it",
      { key },
    );
  }
}

/** The record of the index. The name is told where the key under which it stands does not. */
export function encodeHead(head: Head, name: string | null): Json {
  return { ...membersOf(head), ...(name !== null && { name }) };
}

/** The reverse; the name is the key, unless it is told. */
export function decodeHead(value: unknown, key: string): Head & { name: string } {
  const members = Object(value) as Members;
  return { ...headOf(members), name: typeof members["name"] === "string" ? members["name"] : key };
}
