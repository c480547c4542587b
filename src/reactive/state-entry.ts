import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { plain } from "./copy.ts";
import { each, reportErrors } from "./listeners.ts";
import type { Observer } from "./observe.ts";
import type { KVState, KVStatus, Storable, SubscribeOptions } from "./types.ts";

interface Listener {
  readonly call: () => void;
  readonly isSync: boolean | undefined;
}

/** A state, and its internal part. */
export interface StateEntry {
  readonly key: string;
  readonly state: KVState;
  /** The value when nothing was ever stored. */
  init: unknown;
  readonly observer: Observer;
  readonly listeners: Set<Listener>;
  users: number;
  /** The copy that was put last: a copy that differs has to be written. */
  saved: unknown;
  /** Whether the copy of the observer is out of date. */
  isStale?: boolean;
  /** Whether the copy could not be made: the value nests too deep. */
  isFaulty?: boolean;
  /** Whether changes come from this library, and are not to be written. */
  isQuiet?: boolean;
  /** Whether its listeners will be called at the end of this turn. */
  isPublishing?: boolean;
  /** Set until it is known whether the row that it was made from is still stored. */
  old?: Promise<unknown> | undefined;
  view?: Readonly<KVState> | undefined;
}

// One map for all stores: a state may be passed to the function of another store.
export const entries: WeakMap<object, StateEntry> = new WeakMap<object, StateEntry>();

function entryOf(state: object): StateEntry {
  const entry = entries.get(state);
  if (!entry) throw new KvError("KV_INVALID_VALUE", "this is no state");
  return entry;
}

export function checkStateKey(key: unknown): void {
  if (typeof key !== "string" || !key || !key.isWellFormed())
    throw new KvError("KV_INVALID_KEY", "a key is a non-empty, well-formed string");
}

/** Brings the copy up to date. */
export function updateCopy(entry: StateEntry): void {
  if (!entry.isStale) return;
  entry.isStale = entry.isFaulty = false;
  try {
    entry.observer.run();
  } catch {
    // The write of this value reports it.
    entry.isFaulty = true;
  }
}

export function publishEntry(entry: StateEntry): void {
  entry.view = undefined;
  each(entry.listeners, ({ call, isSync }) => {
    if (!isSync) return;
    updateCopy(entry);
    call();
  });
  if (entry.isPublishing || entry.listeners.size === 0) return;
  entry.isPublishing = true;
  queueMicrotask(() => {
    entry.isPublishing = false;
    updateCopy(entry);
    each(entry.listeners, ({ call, isSync }) => isSync || call());
  });
}

export function markState(entry: StateEntry, status: KVStatus, error?: Error): void {
  const { state } = entry;
  if (state.status === status && state.error === error) return;
  state.status = status;
  if (error) state.error = error;
  else delete state.error;
  publishEntry(entry);
}

/** Takes the value that a state was given as saved. Later changes are the user's. */
export function acceptValue(entry: StateEntry): void {
  if (!entry.isQuiet) return;
  entry.isQuiet = false;
  updateCopy(entry);
  entry.saved = entry.observer.copy;
}

/** Gives a state a value, by default its initial one, without writing it. */
export function showValue(entry: StateEntry, value: unknown = entry.init): void {
  const data = plain(value) as Storable;
  entry.isQuiet = true;
  // This runs watchers of the user.
  reportErrors(() => (entry.state.data = data));
  acceptValue(entry);
  publishEntry(entry);
}

export function subscribeTo(
  state: object,
  listener: () => void,
  options: SubscribeOptions = {},
): () => void {
  checkOptions(options, ["sync"], "subscribe()");
  const { sync } = options;
  const { listeners } = entryOf(state);
  const own = { call: listener, isSync: sync };
  listeners.add(own);
  return () => void listeners.delete(own);
}

export function snapshotOf(state: object): Readonly<KVState> {
  const entry = entryOf(state);
  updateCopy(entry);
  const { status, error } = entry.state;
  return (entry.view ??= {
    data: entry.observer.copy as Storable,
    status,
    ...(error && { error }),
  });
}
