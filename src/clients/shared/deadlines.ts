/**
 * Whether a client may have records with a deadline. A round of sweeps sets `known` to `false` when
 * it begins, and to `true` when it finds a deadline. Every write of a deadline sets it to `true`.
 * It is `true` at first: an earlier process may have written deadlines.
 */
export interface Deadlines {
  known: boolean;
  /** Learns of added and removed keys, once a listing has made an index. */
  index?: { note(key: string): void } | undefined;
}

const found = new WeakMap<object, Deadlines>();

/** The deadlines of a client. Stores over one client share them. */
export function deadlinesOf(client: object): Deadlines {
  let deadlines = found.get(client);
  if (deadlines === undefined) found.set(client, (deadlines = { known: true, index: undefined }));
  return deadlines;
}
