import {
  bake,
  decodeCookieName,
  decodeCookieText,
  encodeCookieName,
  expiresOf,
  jar,
  putCookie,
} from "./jar.ts";
import { cookieFeed } from "./feed.ts";
import { KvError } from "../../errors.ts";
import { COOKIE } from "../manifests.ts";
import { failedChecks } from "../../record/freshness.ts";
import { decodeRecord, recordIn } from "../../record/text-format.ts";
import { committed, writeAll } from "../shared/all-or-nothing.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { KvRecord } from "../../record/types.ts";
import type { Adapter } from "../adapter.ts";

/**
 * Keeps records in the cookies of the page's site (`kv("cookie")`, in browsers), one cookie a key:
 * path `/`, `SameSite=Lax`, `Secure` on https. A missing key is `null`; cookies of others are left
 * alone. The browser drops an expired one by itself, at the next full second; reads are exact to
 * the millisecond. Browsers drop any cookie 400 days after it was written.
 *
 * Cookies that scripts cannot see count towards the browser's limit as well. When it drops one of
 * those to make room, a page does not learn of it.
 *
 * @throws {KvError} KV_TOO_LARGE above 4096 bytes of name and value, KV_QUOTA when the site has 180
 * cookies or the browser dropped others: the old value is kept. KV_INVALID_CLIENT without a
 * `document`.
 * @example
 * ```js browser
 * import kv from "anykv";
 *
 * const store = kv("cookie");
 * await store.set("key1", "Hello world", { expires: "1h" });
 * console.log(await store.get("key1")); // "Hello world"
 * ```
 */
export const cookie: ClientFactory<"cookie", Record<never, never>> = defineClient({
  ...COOKIE,
  open(): Adapter {
    if (typeof document === "undefined")
      throw new KvError("KV_INVALID_CLIENT", '"cookie" needs a page: there is no `document` here');

    const get = (key: string, values?: boolean): KvRecord | null => {
      const value = jar().get(encodeCookieName(key));
      return value === undefined ? null : recordIn(decodeCookieText(value), key, values);
    };
    const setMany: Adapter["setMany"] = (writes) =>
      writeAll(
        writes,
        ({ key, record }) => putCookie(key, record),
        (key, before) => bake(encodeCookieName(key), before, expiresOf(before)),
      );

    return {
      get: (key) => get(key),
      set: (key, record) => void putCookie(key, record),
      del: (key) => void putCookie(key, null),
      watch: (feed) => cookieFeed(feed),
      setMany,
      *iterate(prefix, values) {
        for (const [name, value] of jar()) {
          const key = decodeCookieName(name);
          const record =
            key !== "" && key.startsWith(prefix)
              ? decodeRecord(decodeCookieText(value), key, values)
              : null;
          if (record !== null) yield [key, record];
        }
      },
      commit(checks, writes, now) {
        const failed = failedChecks(checks, (key) => get(key, false), now);
        if (failed.length > 0) return { ok: false, failed };
        setMany(writes);
        return committed(writes);
      },
    };
  },
});
