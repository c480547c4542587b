import { digestOf } from "../record/bytes.ts";
import type { CommitRequest } from "./requests.ts";

/** The prefix of all marks in the server's own records of a space. */
export const MARKS = "commit/";

/** A record that remembers a commit by its id, so that the commit is made once. */
export interface Mark {
  readonly key: string;
  /** A digest of the commit: an id stands for one commit. */
  readonly value: string;
}

/** `null` for a commit without an id, and for one without writes, which can be made many times. */
export async function markOf({ id, checks, writes }: CommitRequest): Promise<Mark | null> {
  if (id === null || writes.length === 0) return null;
  const digest = await digestOf("SHA-256", JSON.stringify([checks, writes]));
  return { key: MARKS + id, value: digest.slice(0, 32) };
}
