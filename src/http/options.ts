import { durationOf, MOST_INTERVAL } from "../concurrency/interval.ts";
import { KvError } from "../errors.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { type TokenOptions, Tokens } from "./tokens.ts";

/** The log of a request, without its query, headers, keys and values. */
export interface LogLine {
  /** When it began, in ISO 8601. */
  time: string;
  method: string;
  /** `"get"`, `"commit"`, `"health"`…; `null` for a wrong path. */
  operation: string | null;
  /** The name of the space; `null` without a known token. */
  space: string | null;
  status: number;
  /** How long it took until the response began, in milliseconds. */
  ms: number;
  /** The size of the response; 0 for event streams. */
  bytes: number;
}

/** Options of `createHandler()`. */
export interface HandlerOptions {
  /**
   * The tokens that clients need. Each opens one space, which several tokens may share. `"none"`
   * lets everyone read and write everything in one space.
   */
  tokens: readonly TokenOptions[] | "none";
  /** Limits of the tokens without own limits. */
  limits?: Limits;
  /**
   * The origins whose pages may use it from a browser, such as `"https://example.com"`. Default:
   * none.
   */
  cors?: readonly string[];
  /** Called after each request. Its errors are ignored. */
  log?: (line: LogLine) => void;
  /** The path in front of `/v1/…`, `/health` and `/ready`, such as `"/kv"`. Default `""`. */
  base?: string;
  /**
   * How long the body of a request may take: seconds up to 600, or a string such as `"10s"`.
   * Default 30.
   */
  bodyTimeout?: number | string;
  /**
   * How often event streams look for changes that were not made through this handler: seconds up to
   * 60, or a string such as `"500ms"`. Default 1.
   */
  interval?: number | string;
  /** Ends event streams, and the readiness for more requests. */
  signal?: AbortSignal;
}

/** The options that `createHandler()` and `serve()` share. */
export const HANDLER_OPTIONS: readonly string[] = [
  "tokens",
  "limits",
  "cors",
  "log",
  "base",
  "bodyTimeout",
  "interval",
];

/** The checked options of a handler. */
export interface Settings {
  readonly tokens: Tokens;
  readonly origins: ReadonlySet<string>;
  readonly log: HandlerOptions["log"];
  readonly base: string;
  /** In milliseconds. */
  readonly bodyTimeout: number;
  /** In milliseconds. */
  readonly interval: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws {KvError} KV_INVALID_VALUE for a wrong option. */
export function settingsOf(options: HandlerOptions): Settings {
  const {
    tokens,
    limits,
    cors = [],
    log,
    base = "",
    bodyTimeout,
    interval = 1,
    signal,
  } = Object(options) as HandlerOptions;
  const settings: Settings = {
    tokens: new Tokens(tokens, limitsOf(limits)),
    origins: originsIn(cors),
    log,
    base,
    bodyTimeout: bodyTimeoutOf(bodyTimeout),
    interval: durationOf("interval", interval, MOST_INTERVAL),
    signal,
  };
  if (log !== undefined && typeof log !== "function")
    throw new KvError("KV_INVALID_VALUE", '"log" is a function');
  if (base !== "" && !/^(\/[\w.~-]+)+$/.test(base))
    throw new KvError(
      "KV_INVALID_VALUE",
      '"base" is a path such as "/kv", without a slash at its end',
    );
  return settings;
}

function originsIn(cors: unknown): ReadonlySet<string> {
  const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;
  if (Array.isArray(cors) && cors.every(isOrigin)) return new Set(cors);
  throw new KvError(
    "KV_INVALID_VALUE",
    '"cors" lists origins such as ["https://example.com"]: no "*", no path',
  );
}

/** The option `bodyTimeout` in milliseconds. @throws {KvError} KV_INVALID_VALUE. */
export const bodyTimeoutOf = (bodyTimeout: number | string = 30): number =>
  durationOf("bodyTimeout", bodyTimeout, 600);
