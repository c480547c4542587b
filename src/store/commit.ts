import type { CommitCheck, CommitWrite } from "../api.ts";
import { locate, recordOf } from "./checked.ts";
import type { Connection } from "./connection.ts";
import type { StoreContext } from "./context.ts";
import { KvError } from "../errors.ts";
import { allowance } from "./guarded.ts";
import { lastOfEach, noList, toArray } from "./lists.ts";
import { performGuarded } from "./perform-guarded.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import type { CommitResult } from "../types.ts";
import { formatVersion, stampFor } from "../record/version.ts";

const cannotCommit = ({ source }: Connection): KvError =>
  new KvError(
    "KV_NOT_SUPPORTED",
    `${source.type} offers no compare-and-set, so it cannot commit (supports.atomic is "no")`,
  );

/** `store.commit()` */
export async function commitWrites(
  context: StoreContext,
  checks: Iterable<CommitCheck>,
  writes: Iterable<CommitWrite>,
): Promise<CommitResult> {
  const { connection, prefix } = context;
  const stamp = stampFor(connection.source);
  const items = "checks { key, version }";
  const checked = toArray(checks, items).map(({ key, version }) => {
    // Versions are never `undefined`. Accepting one would make a retry loop spin forever.
    if (version === undefined) throw noList(items);
    return { key: locate(context, key), version };
  });
  const written = toArray(writes, "writes { key, value }").map(({ key, value, ...options }) => {
    const full = locate(context, key, options.prefix);
    return { key: full, record: recordOf(context, full, value, options, stamp) };
  });
  const touched = [...checked, ...written].map(({ key }) => key);
  const result = await performGuarded(
    context,
    { write: touched },
    ({ commit }) => {
      if (commit === undefined) throw cannotCommit(connection);
      return commit(checked, lastOfEach(written), Date.now());
    },
    allowance(touched),
    "one",
  );
  if (!result.ok)
    return { ok: false, failed: result.failed.map((key) => key.slice(prefix.length)) };
  await sweepAfter(context, written.length);
  // Deletions alone leave no record to read a version from.
  return {
    ok: true,
    version: result.version || (typeof stamp === "number" ? formatVersion(stamp) : stamp),
  };
}
