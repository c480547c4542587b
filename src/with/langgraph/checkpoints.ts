import type { Store } from "../../api.ts";
import { update } from "../../atomic/update.ts";
import { KvError } from "../../errors.ts";
import { compareKeys } from "../../record/utf8.ts";
import { encodeKey, encodePrefix, type Key } from "../../versioned/key.ts";
import { list } from "../../versioned/list.ts";

/** The configuration of a run, as far as checkpoints need it. */
export interface GraphConfig {
  readonly configurable?: { readonly [name: string]: unknown } | undefined;
}

/** A value that LangGraph has serialized: its type, and a text or Base64. */
type Serialized = readonly [type: string, text: string];

/** What serializes the values of a graph. */
export interface GraphSerializer {
  dumpsTyped(value: unknown): Promise<[string, Uint8Array]>;
  loadsTyped(type: string, data: Uint8Array | string): Promise<unknown>;
}

/** The names of a checkpoint. */
export interface CheckpointName {
  readonly thread: string;
  readonly ns: string;
  readonly id: string;
}

/** A checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly name: CheckpointName;
  readonly parent?: string | undefined;
  readonly checkpoint: Serialized;
  readonly metadata: Serialized;
}

/** The writes of a task by their index. */
interface StoredWrites {
  readonly task: string;
  readonly path: string;
  readonly writes: { readonly [index: string]: readonly [channel: string, value: Serialized] };
}

/** A write of a task that is not in a checkpoint yet. */
export type GraphWrite = [task: string, channel: string, value: unknown];

// Longer names do not fit into a key: a namespace grows with each level of subgraphs.
const LONGEST = 60;

// Only long names and values that are bytes need it.
const bytesCode = () => import("../../record/bytes.ts");

async function shortened(text: string): Promise<string> {
  if (text.length <= LONGEST) return text;
  const hash = await (await bytesCode()).digestOf("SHA-256", text);
  return `${text.slice(0, 12).toWellFormed()}\0${hash.slice(0, 40)}`;
}

/** The text of an id of a configuration. */
export function requireId(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new KvError("KV_INVALID_VALUE", `"configurable" needs "${name}", a string`);
}

/** The checkpoints of all threads, and the writes that belong to them. */
export class Checkpoints {
  readonly #store: Store;
  readonly #serializer: () => GraphSerializer;

  constructor(store: Store, serializer: () => GraphSerializer) {
    this.#store = store;
    this.#serializer = serializer;
  }

  async #dump(value: unknown): Promise<Serialized> {
    const [type, bytes] = await this.#serializer().dumpsTyped(value);
    if (type === "json") return [type, new TextDecoder().decode(bytes)];
    return [type, (await bytesCode()).bytesToBase64url(bytes)];
  }

  async load([type, text]: Serialized): Promise<unknown> {
    const data = type === "json" ? text : (await bytesCode()).base64urlToBytes(text);
    return this.#serializer().loadsTyped(type, data);
  }

  async #prefix(kind: "c" | "w", thread: string, ns: string): Promise<Key> {
    return [await shortened(thread), kind, await shortened(ns)];
  }

  async put(
    name: CheckpointName,
    parent: string | undefined,
    checkpoint: object,
    metadata: object,
  ): Promise<void> {
    const key = [...(await this.#prefix("c", name.thread, name.ns)), name.id];
    const stored: StoredCheckpoint = {
      name,
      parent,
      checkpoint: await this.#dump(checkpoint),
      metadata: await this.#dump(metadata),
    };
    await this.#store.set(encodeKey(key), stored);
  }

  /** Adds the writes of a task. A write that is there already stays, unless it is special. */
  async putWrites(
    { thread, ns, id }: CheckpointName,
    task: string,
    path: string,
    writes: readonly (readonly [index: number, channel: string, value: unknown])[],
  ): Promise<void> {
    const key = [...(await this.#prefix("w", thread, ns)), id, await shortened(task)];
    const added = await Promise.all(
      writes.map(
        async ([index, channel, value]) =>
          [index, [channel, await this.#dump(value)] as const] as const,
      ),
    );
    await update<StoredWrites>(this.#store as Store<StoredWrites>, encodeKey(key), (before) => {
      const kept = new Map(Object.entries(before?.writes ?? {}));
      for (const [index, write] of added)
        if (index < 0 || !kept.has(`${index}`)) kept.set(`${index}`, write);
      return { task, path, writes: Object.fromEntries(kept) };
    });
  }

  /** A checkpoint, or the newest one without an id. */
  async get(thread: string, ns: string, id: string): Promise<StoredCheckpoint | null> {
    const prefix = await this.#prefix("c", thread, ns);
    if (id !== "") return (await this.#store.get(encodeKey([...prefix, id]))) as never;
    for await (const { value } of this.#list(prefix, { reverse: true, limit: 1 })) return value;
    return null;
  }

  #list(
    prefix: Key,
    options: { reverse: boolean; limit?: number },
    end?: string,
  ): AsyncIterable<{ value: StoredCheckpoint; key: Key }> {
    const selector = end === undefined ? { prefix } : { prefix, end: [...prefix, end] };
    return list<StoredCheckpoint>(this.#store as Store<unknown>, selector, options);
  }

  /** Checkpoints, the newest first: of all threads or namespaces by default. */
  async *all(thread?: string, ns?: string, before?: string): AsyncGenerator<StoredCheckpoint> {
    if (thread === undefined || ns === undefined) {
      yield* this.#among(thread, ns, before);
      return;
    }
    const prefix = await this.#prefix("c", thread, ns);
    for await (const { value } of this.#list(prefix, { reverse: true }, before)) yield value;
  }

  /** Those of several namespaces: their names are put in order first, without their states. */
  async *#among(
    thread: string | undefined,
    ns: string | undefined,
    before: string | undefined,
  ): AsyncGenerator<StoredCheckpoint> {
    const names: CheckpointName[] = [];
    const prefix = thread === undefined ? [] : [await shortened(thread), "c"];
    for await (const { key, value } of this.#list(prefix, { reverse: true })) {
      if (key[1] !== "c" || (ns !== undefined && value.name.ns !== ns)) continue;
      if (before === undefined || compareKeys(value.name.id, before) < 0) names.push(value.name);
    }
    names.sort((a, b) => compareKeys(b.id, a.id));
    for (const name of names) {
      const stored = await this.get(name.thread, name.ns, name.id);
      if (stored !== null) yield stored;
    }
  }

  /** The writes of a checkpoint, in the order in which the graph applies them. */
  async writesOf({ thread, ns, id }: CheckpointName): Promise<GraphWrite[]> {
    const prefix = [...(await this.#prefix("w", thread, ns)), id];
    const tasks: StoredWrites[] = [];
    for await (const { value } of list<StoredWrites>(this.#store as Store<unknown>, { prefix }))
      tasks.push(value);
    tasks.sort((a, b) => compareKeys(a.path, b.path) || compareKeys(a.task, b.task));
    const sorted = tasks.flatMap(({ task, writes }) =>
      Object.entries(writes)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([, [channel, value]]) => ({ task, channel, value })),
    );
    return Promise.all(
      sorted.map(async ({ task, channel, value }): Promise<GraphWrite> => [
        task,
        channel,
        await this.load(value),
      ]),
    );
  }

  async deleteThread(thread: string): Promise<void> {
    await this.#store.prefix(encodePrefix([await shortened(thread)])).clear();
  }
}
