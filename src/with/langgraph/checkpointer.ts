import type { Store } from "../../api.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";
import {
  type CheckpointName,
  Checkpoints,
  type GraphConfig,
  requireId,
  type StoredCheckpoint,
} from "./checkpoints.ts";
import type { Checkpoint, Saver } from "./types.ts";

/** Options of {@link langgraphCheckpointer} and {@link langgraphStore}. */
export interface LanggraphOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

interface ListOptions {
  readonly limit?: number | undefined;
  readonly before?: GraphConfig | undefined;
  readonly filter?: { readonly [name: string]: unknown } | undefined;
}

// Writes that are not numbered: LangGraph gives them these indexes.
const SPECIAL: ReadonlyMap<string, number> = new Map([
  ["__error__", -1],
  ["__scheduled__", -2],
  ["__interrupt__", -3],
  ["__resume__", -4],
]);

const idIn = ({ configurable }: GraphConfig): string =>
  (configurable?.checkpoint_id || configurable?.thread_ts || "") as string;

const nsIn = ({ configurable }: GraphConfig): string =>
  (configurable?.checkpoint_ns ?? "") as string;

const configOf = ({ thread, ns, id }: CheckpointName) => ({
  configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id },
});

/** A stored checkpoint as LangGraph takes it. */
async function tupleOf(saver: Saver, checkpoints: Checkpoints, stored: StoredCheckpoint) {
  const { name, parent: id } = stored;
  const parent = id === undefined ? undefined : { ...name, id };
  const [loaded, metadata, pendingWrites] = await Promise.all([
    checkpoints.load(stored.checkpoint) as Promise<Checkpoint>,
    checkpoints.load(stored.metadata),
    checkpoints.writesOf(name),
  ]);
  const checkpoint =
    loaded.v < 4 && parent
      ? (await import("./migrate.ts")).migrated(saver, loaded, await checkpoints.writesOf(parent))
      : loaded;
  const parentConfig = parent && { parentConfig: configOf(parent) };
  return { config: configOf(name), checkpoint, metadata, pendingWrites, ...parentConfig };
}

type Tuple = Awaited<ReturnType<typeof tupleOf>>;

async function* listed(
  saver: Saver,
  checkpoints: Checkpoints,
  config: GraphConfig,
  { limit = Infinity, before, filter = {} }: ListOptions,
): AsyncGenerator<Tuple> {
  const { thread_id: thread, checkpoint_ns: ns } = config.configurable ?? {};
  const only = config.configurable?.checkpoint_id;
  let left = limit;
  const found = checkpoints.all(
    thread === undefined ? undefined : requireId("thread_id", thread),
    ns as string | undefined,
    (before && idIn(before)) || undefined,
  );
  if (left <= 0) return;
  for await (const stored of found) {
    if (only && only !== stored.name.id) continue;
    const metadata = (await checkpoints.load(stored.metadata)) as { [name: string]: unknown };
    if (!Object.entries(filter).every(([name, value]) => metadata[name] === value)) continue;
    yield await tupleOf(saver, checkpoints, stored);
    if (--left <= 0) return;
  }
}

/** The methods of a checkpointer. */
function methodsOf(saver: Saver, store: Store) {
  const checkpoints = new Checkpoints(store, () => saver.serde);
  return {
    async getTuple(config: GraphConfig): Promise<Tuple | undefined> {
      // Before its first run, a graph asks without a thread.
      const thread = config.configurable?.thread_id;
      if (thread === undefined) return undefined;
      const stored = await checkpoints.get(
        requireId("thread_id", thread),
        nsIn(config),
        idIn(config),
      );
      return stored === null ? undefined : tupleOf(saver, checkpoints, stored);
    },
    list: (config: GraphConfig, options: ListOptions = {}): AsyncGenerator<Tuple> =>
      listed(saver, checkpoints, config, options),
    async put(config: GraphConfig, checkpoint: Checkpoint, metadata: object) {
      const thread = requireId("thread_id", config.configurable?.thread_id);
      const name = { thread, ns: nsIn(config), id: checkpoint.id };
      const parent = config.configurable?.checkpoint_id as string | undefined;
      await checkpoints.put(name, parent, checkpoint, metadata);
      return configOf(name);
    },
    async putWrites(
      config: GraphConfig,
      writes: readonly (readonly [channel: string, value: unknown])[],
      task: string,
      path = "",
    ): Promise<void> {
      const thread = requireId("thread_id", config.configurable?.thread_id);
      const id = requireId("checkpoint_id", config.configurable?.checkpoint_id);
      const numbered = writes.map(
        ([channel, value], i) => [SPECIAL.get(channel) ?? i, channel, value] as const,
      );
      const name = { thread, ns: nsIn(config), id };
      await checkpoints.putWrites(name, task, path, numbered);
    },
    deleteThread: async (thread: string): Promise<void> =>
      checkpoints.deleteThread(requireId("thread_id", thread)),
  };
}

/**
 * A checkpointer for LangGraph: the state of each thread after each step.
 *
 * Two writers of one task lose nothing. Threads whose store has an `expires` end with it. Every
 * method rejects when the store fails, and the run of the graph rejects.
 *
 * @param BaseCheckpointSaver the class of `@langchain/langgraph-checkpoint`, which also
 * `@langchain/langgraph` exports.
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options, and by the methods without a
 * `thread_id`.
 * @example
 * import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
 * import kv from "anykv";
 * import { langgraphCheckpointer } from "anykv/with/langgraph";
 *
 * const checkpointer = langgraphCheckpointer(BaseCheckpointSaver, kv(new Map()));
 * const config = { configurable: { thread_id: "1" } };
 * console.log((await checkpointer.getTuple(config)) === undefined); // true
 */
export function langgraphCheckpointer<Base extends object>(
  BaseCheckpointSaver: abstract new (...args: never[]) => Base,
  store: Store,
  options: LanggraphOptions = {},
): Base {
  checkOptions(options, ["prefix"], "langgraphCheckpointer()");
  requireStore(store, "langgraphCheckpointer()");
  requireAtomic(store, "LangGraph");
  class StoredSaver extends (BaseCheckpointSaver as unknown as new () => Saver) {}
  const saver = new StoredSaver();
  return Object.assign(saver, methodsOf(saver, store.prefix(options.prefix))) as never;
}
