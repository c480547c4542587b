import { KvError } from "../../errors.ts";
import { HTTP } from "../manifests.ts";
import { StoredRecord } from "../../record/record.ts";
import { type Fetch, HttpCalls } from "./calls.ts";
import { MOST_ITEMS, splitItems } from "./parts.ts";
import type { CommitResult, Json } from "../../types.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { KvRecord, Write } from "../../record/types.ts";
import type { Adapter, Page, PageQuery } from "../adapter.ts";

/** Options of {@link http}. */
export interface HttpOptions {
  /** The access token. Default: none, for a server that asks for none. */
  token?: string;
  /** Further headers of each request. */
  headers?: { readonly [name: string]: string };
  /** The function that sends requests, in place of the global `fetch`. */
  fetch?: Fetch;
}

/** An entry as it comes over the wire. */
interface Entry {
  readonly key: string;
  readonly value: Json;
  readonly version: string | null;
  readonly expires: number | null;
  readonly metadata: Json;
}

const unreadable = (): KvError =>
  new KvError(
    "KV_CONNECTION",
    "HTTP: the server's answer cannot be read: its version may be another",
    { client: "HTTP" },
  );

function recordOf(entry: unknown): KvRecord | null {
  if (entry === null) return null;
  const { key, value, version, expires, metadata } = Object(entry) as Entry;
  if (typeof key !== "string" || value === undefined || expires === undefined) throw unreadable();
  return new StoredRecord(value, expires, version, metadata);
}

const writeOf = ({ key, record }: Write): unknown =>
  record === null
    ? { key, value: null }
    : { key, value: record.value, expires: record.expires, metadata: record.metadata };

/** 24 characters out of 64: no two commits have the same. */
const newId = (): string =>
  Array.from(
    crypto.getRandomValues(new Uint8Array(24)),
    (byte) => "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-"[byte & 63],
  ).join("");

/**
 * Keeps records on a server of this library (`anykv/http`), over HTTP by `fetch`. A missing key is
 * `null`. The server drops expired records, and makes the versions.
 *
 * Reads are sent up to two times more when the network or the server fails; so are commits, which
 * the server makes once however often they come. Other writes are sent again only if no server was
 * there to receive them. Redirects are not followed. `close()` ends pending requests. After two
 * requests in a row without an answer all requests are aborted, so that the next ones get new
 * connections.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a URL with a query or a password in it, and for a token
 * that no header can hold; KV_UNAUTHORIZED, KV_RATE_LIMITED, KV_TOO_LARGE and KV_QUOTA as the
 * server says; KV_CONNECTION.
 * @example
 * import kv from "anykv";
 * import { http } from "anykv/clients/http";
 * import { createHandler } from "anykv/http";
 *
 * const token = "9b9634a1-1655-4baf";
 * const handler = createHandler(kv(new Map()), { tokens: [{ token, space: "docs" }] });
 * const fetch = (...request) => handler(new Request(...request));
 * const store = kv(http("https://localhost", { token, fetch }));
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const http: ClientFactory<string | URL, HttpOptions> = defineClient({
  ...HTTP,
  options: ["token", "headers", "fetch"],
  address: (url: string | URL) => (URL.canParse(String(url)) ? new URL(url).host : undefined),
  open(
    url: string | URL,
    { token, headers = {}, fetch = (...request) => globalThis.fetch(...request) }: HttpOptions,
  ): Adapter {
    const authorization = token === undefined ? {} : { authorization: bearer(token) };
    const calls = new HttpCalls(baseOf(url), { ...headers, ...authorization }, fetch);

    const some = (keys: readonly string[], values: boolean): Promise<(KvRecord | null)[]> =>
      leadingRecords(calls, keys, values);
    const setMany = async (writes: readonly Write[]): Promise<void> => {
      for (const part of splitItems(writes.map(writeOf)))
        await calls.call("set", `{"writes":[${part.join()}]}`, "unsent");
    };

    return {
      get: async (key) => (await some([JSON.stringify(key)], true))[0]!,
      has: async (key) => (await some([JSON.stringify(key)], false))[0] !== null,
      async getMany(keys) {
        const found: (KvRecord | null)[] = [];
        for (const part of splitItems(keys)) {
          for (let rest = part; rest.length > 0;) {
            const records = await some(rest, true);
            found.push(...records);
            rest = rest.slice(records.length);
          }
        }
        return found;
      },
      set: (key, record) => setMany([{ key, record }]),
      del: (key) => setMany([{ key, record: null }]),
      setMany,
      page: (query) => pageOf(calls, query),
      async touch(key, expires) {
        return (
          (await calls.call("touch", JSON.stringify({ key, expires }), "unsent")).found === true
        );
      },
      watch: async (feed, prefixes) => (await import("./feed.ts")).httpFeed(calls, feed, prefixes),
      async commit(checks, writes): Promise<CommitResult> {
        // A read may be repeated.
        const id = writes.length === 0 ? {} : { id: newId() };
        const { ok, version, failed } = await calls.call(
          "commit",
          JSON.stringify({ checks, writes: writes.map(writeOf), ...id }),
          "safe",
        );
        if (ok === true && typeof version === "string") return { ok, version };
        if (ok === false && Array.isArray(failed)) return { ok, failed: failed.map(String) };
        throw unreadable();
      },
      async clear(prefix) {
        await calls.call("clear", JSON.stringify({ prefix }), "unsent");
      },
      async prune({ prefix }) {
        return Number((await calls.call("prune", JSON.stringify({ prefix }), "unsent")).removed);
      },
      close: () => calls.close(),
      replace: () => calls.replace(),
    };
  },
});

// Neither the URL nor the token is shown: both may be secret.
const invalid = (message: string): KvError =>
  new KvError("KV_INVALID_CLIENT", message, { client: "HTTP" });

function baseOf(given: string | URL): string {
  if (!URL.canParse(String(given))) throw invalid("the URL of the server cannot be read");
  const url = new URL(given);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw invalid(
      "the URL of a server has neither user, password, query nor fragment: the token goes into " +
        'http(url, { token }) of "anykv/clients/http"',
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

function checkedToken(token: unknown): string {
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  throw invalid("the access token is a text of printable ASCII characters");
}

/** The records of the leading keys, as many as the server sends at once. The keys are JSON here. */
async function leadingRecords(
  calls: HttpCalls,
  keys: readonly string[],
  values: boolean,
): Promise<(KvRecord | null)[]> {
  const { entries } = await calls.call(
    "get",
    `{"keys":[${keys.join()}],"values":${values}}`,
    "safe",
  );
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > keys.length)
    throw unreadable();
  return entries.map(recordOf);
}

async function pageOf(
  calls: HttpCalls,
  { prefix, after, limit, reverse, values }: PageQuery,
): Promise<Page> {
  const { entries, next } = await calls.call(
    "list",
    JSON.stringify({ prefix, after, limit: Math.min(limit, MOST_ITEMS), reverse, values }),
    "safe",
  );
  if (!Array.isArray(entries) || (next !== null && typeof next !== "string")) throw unreadable();
  return { entries: entries.map((entry: Entry) => [entry.key, recordOf(entry)!]), next };
}

const bearer = (token: string): string => `Bearer ${checkedToken(token)}`;
