import { reactive } from "./proxies.ts";
import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import type { Connect } from "./backend.ts";
import { plain } from "./copy.ts";
import { observeReads, type Observer } from "./observe.ts";
import { each, reportErrors, rowsOf } from "./rows.ts";
import type {
  KVFn,
  KVOperation,
  KVState,
  KVStatus,
  KVStore,
  Storable,
  SubscribeOptions,
} from "./types.ts";

interface Listener {
  readonly call: () => void;
  readonly isSync: boolean | undefined;
}

/** A state, and what only we know of it. */
interface Entry {
  readonly key: string;
  readonly state: KVState;
  /** What it falls back to when nothing was ever stored. */
  init: unknown;
  readonly observer: Observer;
  readonly listeners: Set<Listener>;
  users: number;
  /** The copy that was put last: one that differs has to be written. */
  saved: unknown;
  /** Whether the copy of the observer is out of date. */
  isStale?: boolean;
  /** Whether it could not be made: the value nests too deep. */
  isFaulty?: boolean;
  /** Whether changes are ours, and not to be written. */
  isQuiet?: boolean;
  isTelling?: boolean;
  /** Until it is known whether what it was made from is still stored. */
  old?: Promise<unknown> | undefined;
  view?: Readonly<KVState> | undefined;
}

// States know where they belong by themselves, whichever function they are handed to.
const entries = new WeakMap<object, Entry>();

function entryOf(state: object): Entry {
  const entry = entries.get(state);
  if (!entry) throw new KvError("KV_INVALID_VALUE", "this is no state");
  return entry;
}

function checkKey(key: unknown): void {
  if (typeof key !== "string" || !key || !key.isWellFormed())
    throw new KvError("KV_INVALID_KEY", "a key is a non-empty, well-formed string");
}

/** Brings the copy up to date. */
function update(entry: Entry): void {
  if (!entry.isStale) return;
  entry.isStale = entry.isFaulty = false;
  try {
    entry.observer.run();
  } catch {
    // Said when it is to be written.
    entry.isFaulty = true;
  }
}

function publishEntry(entry: Entry): void {
  entry.view = undefined;
  each(entry.listeners, ({ call, isSync }) => {
    if (!isSync) return;
    update(entry);
    call();
  });
  if (entry.isTelling || entry.listeners.size === 0) return;
  entry.isTelling = true;
  queueMicrotask(() => {
    entry.isTelling = false;
    update(entry);
    each(entry.listeners, ({ call, isSync }) => isSync || call());
  });
}

function mark(entry: Entry, status: KVStatus, error?: Error): void {
  const { state } = entry;
  if (state.status === status && state.error === error) return;
  state.status = status;
  if (error) state.error = error;
  else delete state.error;
  publishEntry(entry);
}

/**
 * Takes the value that was given to a state for saved; what is changed from then on is the user's.
 */
function accept(entry: Entry): void {
  if (!entry.isQuiet) return;
  entry.isQuiet = false;
  update(entry);
  entry.saved = entry.observer.copy;
}

/** Gives a state another value, that of the beginning if there is none, which is not written. */
function show(entry: Entry, value: unknown = entry.init): void {
  const data = plain(value) as Storable;
  entry.isQuiet = true;
  // Watchers of the user run within.
  reportErrors(() => (entry.state.data = data));
  accept(entry);
  publishEntry(entry);
}

function subscribe(
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

function snapshot(state: object): Readonly<KVState> {
  const entry = entryOf(state);
  update(entry);
  const { status, error } = entry.state;
  return (entry.view ??= {
    data: entry.observer.copy as Storable,
    status,
    ...(error && { error }),
  });
}

/** The function over the rows of a backend. `ended` is called when its store is closed. */
export function statesOf(connect: Connect, delay: number, ended: () => void): KVFn {
  const states = new Map<string, Entry>();
  const changed = new Set<Entry>();

  const rows = rowsOf(connect, delay, ended, {
    collect() {
      for (const entry of changed) collect(entry);
    },
    loaded() {
      for (const entry of states.values()) {
        const value = get(entry.key);
        // What nobody has changed stays the object that it is.
        if (!changed.has(entry) && value !== entry.init) show(entry, value);
        mark(entry, "ready");
      }
    },
    failed(error) {
      for (const entry of states.values()) mark(entry, "error", error);
    },
    stored(key, error) {
      const entry = states.get(key);
      if (!entry) return;
      // A later change is not lost with the one before: it is tried by itself.
      if (error && !changed.has(entry)) show(entry, get(key));
      mark(entry, error ? "error" : "ready", error);
    },
    changed(key, value) {
      const entry = states.get(key);
      if (!entry || changed.has(entry)) return;
      if (value === undefined) {
        if (!entry.old) return finish(drop(entry));
        rows.begin(key, entry.init);
      }
      show(entry, value);
      mark(entry, "ready");
    },
    used: () => [...states.keys()],
  });

  const { get } = rows;

  /** Puts what has changed. */
  function collect(entry: Entry): void {
    changed.delete(entry);
    update(entry);
    const { key, observer, isFaulty } = entry;
    if (!isFaulty && observer.copy === entry.saved) return;
    entry.saved = observer.copy;
    // What cannot be copied is refused as any other value that cannot be stored.
    rows.put(key, isFaulty ? collect : observer.copy);
  }

  function make(key: string, init: unknown): Entry {
    const value = get(key);
    const own = plain(init);
    const state = reactive({
      data: plain(value === undefined ? own : value),
      status: rows.status === "open" ? "ready" : "init",
    }) as KVState;
    const observer = observeReads(
      () => state.data,
      () => {
        entry.isStale = true;
        if (entry.isQuiet) return accept(entry);
        if (states.get(key) === entry && !changed.has(entry)) {
          changed.add(entry);
          rows.schedule();
        }
        publishEntry(entry);
      },
    );
    const entry: Entry = {
      key,
      state,
      init: own,
      observer,
      listeners: new Set(),
      users: 0,
      saved: observer.copy,
    };
    entries.set(state, entry);
    states.set(key, entry);
    if (rows.error) mark(entry, "error", rows.error);
    if (value !== undefined) entry.old = rows.look(key)?.then(() => (entry.old = undefined));
    else if (own !== undefined) rows.begin(key, own);
    return entry;
  }

  function find(key: string, init: unknown): Entry {
    checkKey(key);
    void rows.promise();
    return states.get(key) ?? make(key, init);
  }

  /** Takes a state away from its key. */
  function drop(entry: Entry): Entry {
    states.delete(entry.key);
    changed.delete(entry);
    mark(entry, "removed");
    return entry;
  }

  function finish(entry: Entry): void {
    entry.init = undefined;
    show(entry);
    entry.observer.stop();
  }

  function remove(key: string): KVOperation {
    checkKey(key);
    const entry = states.get(key);
    if (entry) drop(entry);
    const removing = rows.put(key, undefined);
    if (entry)
      removing.promise().then(
        () => finish(entry),
        (error: Error) => mark(entry, "error", error),
      );
    return removing;
  }

  const use = (key: string, init?: unknown): KVState => {
    const entry = find(key, init);
    entry.users++;
    return entry.state;
  };

  // The rows themselves, so that their getters stay ones.
  const store: KVStore = Object.assign(rows, {
    get(key: string) {
      const entry = states.get(key);
      if (entry && changed.has(entry)) collect(entry);
      return get(key);
    },
    set(key: string, value: Storable) {
      checkKey(key);
      if (value === undefined) return remove(key);
      void rows.promise();
      const entry = states.get(key);
      if (entry) show(entry, value);
      return rows.put(key, entry?.observer.copy ?? plain(value));
    },
    delete: remove,
  });

  return Object.assign(use, {
    peek: (key: string, init?: unknown) => find(key, init).state,
    leave(state: object) {
      const entry = entries.get(state);
      if (!entry || states.get(entry.key) !== entry || --entry.users > 0) return;
      if (changed.has(entry)) collect(entry);
      states.delete(entry.key);
      entry.observer.stop();
    },
    remove: (key: string) => void remove(key),
    ready: rows.completed,
    flush: rows.flush,
    subscribe,
    snapshot,
    store: () => store,
  }) as KVFn;
}
