import { KvError } from "../../errors.ts";
import { KEPT_MS } from "../shared/items.ts";

/** The options that a driver gets beside a value; many take `ttl`, in seconds. */
export interface DriverOptions {
  ttl?: number;
}

const LONGEST_TTL = 2 ** 31 - 1;

/**
 * The base as unstorage writes it in front of names. @throws {KvError} KV_INVALID_CLIENT for one
 * that it would change or refuse.
 */
export function mountBase(base: string): string {
  const parts = base.split(/[/\\:]+/).filter((part) => part !== "");
  if (base.includes("?") || parts.some((part) => part === "." || part === "..")) {
    throw new KvError(
      "KV_INVALID_CLIENT",
      `${JSON.stringify(base)} is no base of an unstorage: leave out "?" and dot segments`,
    );
  }
  return parts.map((part) => `${part}:`).join("");
}

/**
 * The deadline for drivers that take one: seconds, but not more than the narrowest of them can
 * count.
 */
export function ttlOption(expires: number | null): DriverOptions {
  const ttl =
    expires === null ? Infinity : Math.max(1, Math.ceil((expires - Date.now() + KEPT_MS) / 1000));
  return ttl > LONGEST_TTL ? {} : { ttl };
}

/**
 * The text of an item for unstorage. unstorage drops members such as `__proto__` when it parses a
 * text, but not from a text within a text.
 */
export function textFor(item: unknown): string {
  const text = typeof item === "string" ? item : JSON.stringify(item);
  return /"(?:__proto__|constructor)"\s*:/.test(text) ? JSON.stringify(text) : text;
}

/**
 * The text in an answer of unstorage, which unstorage has parsed. Some drivers answer with an error
 * instead of throwing it.
 */
export function textIn(item: unknown): unknown {
  if (item instanceof Error) throw item;
  const isParsed = typeof item === "object" && item !== null && (item as { kv?: unknown }).kv === 1;
  return isParsed ? JSON.stringify(item) : item;
}
