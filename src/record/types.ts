import type { Json } from "../types.ts";

/**
 * The record of one key in an adapter.
 *
 * `version` is 20 lower-case hexadecimal digits, a compact stamp that `versionOf()` turns into
 * those digits (only in clients that do not outlive the process), or `null` where the client keeps
 * bare values.
 */
export interface KvRecord {
  /** A `Uint8Array` too where `supports.bytes`: only namespaces write one, stores take JSON. */
  readonly value: Json;
  /** The deadline in milliseconds since 1970, or `null` for never. */
  readonly expires: number | null;
  readonly version: string | number | null;
  readonly metadata: Json;
}

/** One change: the record to keep under a full key, or `null` to delete it. */
export interface Write {
  readonly key: string;
  readonly record: KvRecord | null;
}

/** A condition: the key still has this version; `null` means that it is absent or expired. */
export interface Check {
  readonly key: string;
  readonly version: string | null;
}
