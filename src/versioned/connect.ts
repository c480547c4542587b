import { http, type HttpOptions } from "../clients/http/index.ts";
import { Connection } from "../store/connection.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { timeoutOf } from "../concurrency/timeout-option.ts";
import { contextOver, createStore } from "../store/store.ts";
import type { Json } from "../types.ts";
import { versioned, type VersionedOptions, type VersionedStore } from "./versioned.ts";

/** Options of {@link connect}. */
export interface ConnectOptions extends VersionedOptions, Omit<HttpOptions, "token"> {
  /** Where the server is, such as `"https://kv.example.com"`. */
  url: string | URL;
  /** The token that opens a space of it. */
  accessToken: string;
  /**
   * Sent along in the header `x-region`, for those who route by it; it means nothing else. Default
   * `"eu-central-1"`.
   */
  region?: string;
  /** How long each request may take: seconds, or a text such as `"500ms"`. Default `"5s"`. */
  timeout?: number | string | null;
}

/**
 * The {@link versioned} store of a space on a server of `anykv/http`. Nothing is sent before the
 * first operation.
 *
 * Values have at most 16,384 bytes of JSON, unless `valueBytes` says otherwise; the server has the
 * last word.
 *
 * @throws {KvError} KV_INVALID_VALUE at once, when `url` or `accessToken` is missing; its
 * operations: KV_UNAUTHORIZED, KV_RATE_LIMITED, KV_TOO_LARGE, KV_QUOTA, KV_CONNECTION.
 * @example
 * import kv from "anykv";
 * import { serve } from "anykv/http";
 * import { connect } from "anykv/versioned";
 *
 * const accessToken = crypto.randomUUID();
 * const server = await serve(kv(new Map()), { tokens: [{ token: accessToken, space: "docs" }] });
 *
 * const store = connect({ url: server.url, accessToken, region: "eu-central-1" });
 * await store.set(["users", "1"], { name: "GhostZero" });
 * console.log((await store.get(["users", "1"])).value); // { name: "GhostZero" }
 * await store.close();
 * await server.close();
 */
export function connect(options: ConnectOptions): VersionedStore {
  checkOptions(
    options,
    ["url", "accessToken", "region", "headers", "fetch", "timeout", "valueBytes", "indexes"],
    "connect()",
  );
  const {
    url,
    accessToken,
    region = "eu-central-1",
    headers = {},
    fetch,
    timeout,
    valueBytes = 16_384,
    indexes,
  } = Object(options) as ConnectOptions;
  if (typeof accessToken !== "string" || accessToken === "")
    throw new KvError("KV_INVALID_VALUE", 'connect() needs the "accessToken" of a space');
  if (!/^https?:\/\//i.test(String(url)))
    throw new KvError(
      "KV_INVALID_VALUE",
      'connect() needs the "url" of a server, which begins with https:// or http://',
    );
  const source = http(url, {
    token: accessToken,
    headers: { ...headers, "x-region": region },
    ...(fetch && { fetch }),
  });
  const store = createStore<Json>(
    { ...contextOver(new Connection(source)), timeout: timeoutOf(timeout) },
    {},
  );
  return versioned(store, { valueBytes, ...(indexes && { indexes }) });
}
