import { StoredRecord } from "../../record/record.ts";
import type { Json } from "../../types.ts";
import { tooLarge } from "./errors.ts";
import type { KvRecord } from "../../record/types.ts";
import { utf8Length } from "../../record/utf8.ts";
import { decodeRecord, encodeRecord, foreign } from "../../record/text-format.ts";
import { observe } from "../../record/version.ts";

/** How wide the deadline of a record stands in its text: as the milliseconds of the year 9999. */
export const EXPIRES_WIDTH = 15;

// The places, from 0, in `{"kv":1,"version":"…20…","expires":…15…,"value":…}`: the head of every
// record is as long, so that it can be changed in place.
const START = '{"kv":1,"version":"';
const BETWEEN = '","expires":';
const VALUE = ',"value":';
const VERSION_AT: number = START.length;
const VERSION_END: number = VERSION_AT + 20;

/** Where the deadline begins. */
export const EXPIRES_AT: number = VERSION_END + BETWEEN.length;
/** Where the comma behind it is. */
export const COMMA_AT: number = EXPIRES_AT + EXPIRES_WIDTH;
/** The last place that is read to know a head: the end of the name of the next member. */
export const HEAD_END: number = COMMA_AT + ',"metadata":'.length - 1;

/** The longest string of Redis, unless the server is told otherwise. */
const LONGEST = 512 * 1024 * 1024;

/** A record as its text. @throws {KvError} KV_TOO_LARGE. */
export function encodeRecordText(record: KvRecord, key: string): string {
  const text = encodeRecord(record, EXPIRES_WIDTH);
  // A UTF-16 unit is at most three bytes of UTF-8: only long texts need counting.
  if (text.length * 3 > LONGEST && utf8Length(text) > LONGEST) throw tooLarge(key);
  return text;
}

function isHex(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || (code > 57 && code < 97) || code > 102) return false;
  }
  return true;
}

/** As `decodeRecord`, but faster: of a text without metadata only the value is parsed. */
function decoded(text: string, key: string): StoredRecord | null {
  if (
    text.startsWith(START) &&
    text.startsWith(BETWEEN, VERSION_END) &&
    text.startsWith(VALUE, COMMA_AT) &&
    isHex(text, VERSION_AT, VERSION_END)
  ) {
    const deadline = text.slice(EXPIRES_AT, COMMA_AT).trimEnd();
    const expires = deadline === "null" ? null : Number(deadline);
    try {
      if (expires === null || expires > 0) {
        const value = JSON.parse(text.slice(COMMA_AT + VALUE.length, -1)) as Json;
        const version = text.slice(VERSION_AT, VERSION_END);
        observe(version);
        return new StoredRecord(value, expires, version, null);
      }
    } catch {
      // Damaged, or more members: that is found out below.
    }
  }
  return decodeRecord(text, key);
}

/** The record in a reply; `null` for nothing. @throws {KvError} KV_FOREIGN, KV_CORRUPT. */
export function recordInReply(reply: unknown, key: string): StoredRecord | null {
  if (reply === null || reply === undefined) return null;
  const record = decoded(String(reply), key);
  if (record === null) throw foreign(key);
  return record;
}

/**
 * The record in an answer to a listing, `null` for a key that is left out. A foreign text without
 * its value counts as a record without a deadline.
 */
export function listed(reply: string | null, key: string, values: boolean): KvRecord | null {
  if (reply === null) return null;
  return values
    ? decoded(reply, key)
    : (decodeRecord(reply, key, false) ?? new StoredRecord(null, null, null, null));
}
