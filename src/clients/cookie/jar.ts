import { KvError } from "../../errors.ts";
import type { KvRecord } from "../../record/types.ts";
import { decodeRecord, encodeRecord } from "../../record/text-format.ts";

// The limits of browsers: bytes of a name and its value together, cookies of a site, seconds of a
// lifetime (RFC 6265bis).
const MAX_BYTES = 4096;
const MAX_COOKIES = 180;
const MAX_AGE = 400 * 24 * 3600;

// JSON is full of characters that RFC 6265 keeps out of cookies. The frequent ones change places
// with rare ones that are allowed, everything else is percent-encoded: so a text hardly grows.
const FROM = '" ,\\';
const TO = "`+|^";

/** A text as the value of a cookie. */
export const encodeCookieText = (text: string): string =>
  text.replace(
    /[^!-~]|[",;\\%`+|^]/gu,
    (char) => TO[FROM.indexOf(char)] ?? encodeURIComponent(char),
  );

/** The text in the value of a cookie: nonsense for a foreign value. */
export function decodeCookieText(value: string): string {
  const text = value.replace(/[`+|^]/g, (char) => FROM[TO.indexOf(char)]!);
  try {
    return decodeURIComponent(text);
  } catch {
    // A foreign or a damaged cookie: without its end it cannot be taken for a whole one.
    return text.slice(0, -1);
  }
}

/**
 * A key as the name of a cookie. Parentheses are not allowed there, and names like `__Host-x` mean
 * something to browsers.
 */
export const encodeCookieName = (key: string): string =>
  encodeURIComponent(key).replace(
    /[()]|^_(?=_)/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** The key in the name of a cookie; empty for a foreign name. */
export function decodeCookieName(name: string): string {
  try {
    const key = decodeURIComponent(name);
    return encodeCookieName(key) === name ? key : "";
  } catch {
    return "";
  }
}

/** The cookies that the page sees, as they are written: name → value. */
export function jar(): Map<string, string> {
  const found = new Map<string, string>();
  for (const pair of document.cookie.split("; ")) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(at, 0));
    // Of several with one name, from other paths, ours is the one that counts.
    if (!found.has(name) || pair.startsWith("{`kv`:", at + 1)) found.set(name, pair.slice(at + 1));
  }
  found.delete("");
  return found;
}

/**
 * Writes a cookie without checking that the browser has kept it; an empty value deletes. Its life
 * is that of the record, rounded up to seconds, so that the record's own deadline comes first.
 */
export function bake(name: string, value: string, expires: number | null): void {
  const age =
    value === ""
      ? 0
      : expires === null
        ? MAX_AGE
        : Math.min(MAX_AGE, Math.ceil((expires - Date.now()) / 1000));
  document.cookie =
    `${name}=${value}; path=/; ` +
    `max-age=${age}${age === 0 ? "; expires=Thu, 01 Jan 1970 00:00:00 GMT" : ""}; ` +
    `samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

/** The deadline of the record in a value; `null` for never, and for values of others. */
export const expiresOf = (value: string): number | null =>
  decodeRecord(decodeCookieText(value), "", false)?.expires ?? null;

/**
 * Writes or deletes a cookie and looks whether the browser did it.
 *
 * @returns the value before, `""` for none.
 * @throws {KvError} KV_TOO_LARGE, KV_QUOTA: the old value is kept.
 */
export function putCookie(key: string, record: KvRecord | null): string {
  const name = encodeCookieName(key);
  const value = record === null ? "" : encodeCookieText(encodeRecord(record));
  const before = jar();
  const old = before.get(name) ?? "";
  if (name.length + value.length > MAX_BYTES) {
    throw new KvError(
      "KV_TOO_LARGE",
      `the cookie would have ${name.length + value.length} bytes: browsers keep up to ${MAX_BYTES}`,
      { key },
    );
  }
  // One more, and the browser would silently drop others.
  if (value !== "" && old === "" && before.size >= MAX_COOKIES) {
    throw new KvError(
      "KV_QUOTA",
      `this site has ${before.size} cookies: browsers keep no more than ${MAX_COOKIES}`,
      { key },
    );
  }
  bake(name, value, record && record.expires);
  const after = jar();
  const lost = [...before].filter(
    ([other, text]) =>
      other !== name && !after.has(other) && (expiresOf(text) ?? Infinity) > Date.now(),
  );
  if (lost.length > 0) {
    bake(name, old, expiresOf(old));
    const ours = lost.filter(
      ([, text]) => decodeRecord(decodeCookieText(text), "", false) !== null,
    );
    for (const [other, text] of ours) bake(other, text, expiresOf(text));
    const rest = lost.length - ours.length;
    throw new KvError(
      "KV_QUOTA",
      `the browser dropped ${lost.length} cookies to make room: ours were put ` +
        `back${rest > 0 ? `, ${rest} of others are gone` : ""}`,
      { key },
    );
  }
  const kept = after.get(name) ?? "";
  // A deletion may uncover a foreign cookie of this name at another path.
  const done =
    value === ""
      ? kept === "" || kept !== old
      : kept === value || (record?.expires ?? Infinity) <= Date.now();
  if (!done)
    throw new KvError(
      "KV_CONNECTION",
      "the browser did not keep the cookie: cookies may be blocked, or one with this name is " +
        "out of reach for scripts",
    );
  return old;
}
