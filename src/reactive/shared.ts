import type { Backend, RowChange } from "./backend.ts";

/** Rows that other tabs or processes use too. */
export interface Shared extends Omit<Backend, "write" | "look"> {
  /** The name of the channel on which tabs with the same rows publish changes. */
  readonly channel: string;
  /** How often to look for unpublished changes, in milliseconds; 0 for never. */
  readonly interval: number;
  /** The values in the order of the keys, `undefined` for missing rows. */
  read(keys: readonly string[]): Promise<unknown[]>;
  /**
   * Writes all changes or none. Calls `sent` once the client has them, also if the page ends then.
   * Resolves to the rows that were there already: beginnings give way to them.
   */
  write(changes: readonly RowChange[], sent: () => void): Promise<readonly RowChange[]>;
  /**
   * Makes the changes of a page that has left, where they are missing. For browsers that abort the
   * writes of such a page.
   */
  takeOver?(changes: readonly News[]): Promise<unknown>;
}

/** A change that a tab publishes: the key alone, or all of it when the page is leaving. */
export type News = readonly [key: string, value?: unknown, before?: unknown];
