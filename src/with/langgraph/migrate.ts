import type { GraphWrite } from "./checkpoints.ts";
import type { Checkpoint, Saver } from "./types.ts";

const TASKS = "__pregel_tasks";

/** Adds what checkpoints before version 4 kept as writes of their parent. */
export function migrated(
  saver: Saver,
  checkpoint: Checkpoint,
  writes: readonly GraphWrite[],
): Checkpoint {
  const sent = writes.filter(([, channel]) => channel === TASKS);
  const versions = Object.values(checkpoint.channel_versions);
  const newest = versions.reduce(
    (max, version) => (max !== undefined && max >= version ? max : version),
    versions[0],
  );
  return {
    ...checkpoint,
    channel_values: { ...checkpoint.channel_values, [TASKS]: sent.map(([, , value]) => value) },
    channel_versions: {
      ...checkpoint.channel_versions,
      [TASKS]: newest ?? saver.getNextVersion(undefined),
    },
  };
}
