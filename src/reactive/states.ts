import { reactive } from "./proxies.ts";
import type { Connect } from "./backend.ts";
import { plain } from "./copy.ts";
import { observeReads } from "./observe.ts";
import { type Owner, Rows } from "./rows.ts";
import {
  acceptValue,
  checkStateKey,
  entries,
  markState,
  publishEntry,
  showValue,
  snapshotOf,
  type StateEntry,
  subscribeTo,
  updateCopy,
} from "./state-entry.ts";
import type { KVFn, KVOperation, KVState, KVStore, Storable } from "./types.ts";

/** The states over the rows of one store. */
class States implements Owner {
  readonly rows: Rows;
  readonly #states = new Map<string, StateEntry>();
  readonly #changed = new Set<StateEntry>();

  constructor(connect: Connect, delay: number, onClose: () => void) {
    this.rows = new Rows(connect, delay, onClose, this);
  }

  // Calls of the rows

  collect(): void {
    for (const entry of this.#changed) this.#put(entry);
  }

  loaded(): void {
    for (const entry of this.#states.values()) {
      const value = this.rows.get(entry.key);
      // An unchanged value stays the object that it is.
      if (!this.#changed.has(entry) && value !== entry.init) showValue(entry, value);
      markState(entry, "ready");
    }
  }

  failed(error: Error): void {
    for (const entry of this.#states.values()) markState(entry, "error", error);
  }

  stored(key: string, error?: Error): void {
    const entry = this.#states.get(key);
    if (!entry) return;
    // A later change is not lost with this one: it is written by itself.
    if (error && !this.#changed.has(entry)) showValue(entry, this.rows.get(key));
    markState(entry, error ? "error" : "ready", error);
  }

  changed(key: string, value: unknown): void {
    const entry = this.#states.get(key);
    if (!entry || this.#changed.has(entry)) return;
    if (value === undefined) {
      if (!entry.old) return this.#finish(this.#drop(entry));
      this.rows.begin(key, entry.init);
    }
    showValue(entry, value);
    markState(entry, "ready");
  }

  used(): string[] {
    return [...this.#states.keys()];
  }

  // States

  /** The state of a key, a new one if there is none. */
  find(key: string, init: unknown): StateEntry {
    checkStateKey(key);
    void this.rows.promise();
    return this.#states.get(key) ?? this.#make(key, init);
  }

  #make(key: string, init: unknown): StateEntry {
    const value = this.rows.get(key);
    const own = plain(init);
    const state = reactive({
      data: plain(value === undefined ? own : value),
      status: this.rows.status === "open" ? "ready" : "init",
    }) as KVState;
    const observer = observeReads(
      () => state.data,
      () => this.#onChange(entry),
    );
    const entry: StateEntry = {
      key,
      state,
      init: own,
      observer,
      listeners: new Set(),
      users: 0,
      saved: observer.copy,
    };
    entries.set(state, entry);
    this.#states.set(key, entry);
    if (this.rows.error) markState(entry, "error", this.rows.error);
    if (value !== undefined) entry.old = this.rows.look(key)?.then(() => (entry.old = undefined));
    else if (own !== undefined) this.rows.begin(key, own);
    return entry;
  }

  #onChange(entry: StateEntry): void {
    entry.isStale = true;
    if (entry.isQuiet) return acceptValue(entry);
    if (this.#states.get(entry.key) === entry && !this.#changed.has(entry)) {
      this.#changed.add(entry);
      this.rows.schedule();
    }
    publishEntry(entry);
  }

  /** Writes a state if it has changed. */
  #put(entry: StateEntry): void {
    this.#changed.delete(entry);
    updateCopy(entry);
    const { key, observer, isFaulty } = entry;
    if (!isFaulty && observer.copy === entry.saved) return;
    entry.saved = observer.copy;
    // A function cannot be stored: the write of a faulty value is refused like any such value.
    this.rows.put(key, isFaulty ? updateCopy : observer.copy);
  }

  leave(state: object): void {
    const entry = entries.get(state);
    if (!entry || this.#states.get(entry.key) !== entry || --entry.users > 0) return;
    if (this.#changed.has(entry)) this.#put(entry);
    this.#states.delete(entry.key);
    entry.observer.stop();
  }

  /** Takes a state away from its key. */
  #drop(entry: StateEntry): StateEntry {
    this.#states.delete(entry.key);
    this.#changed.delete(entry);
    markState(entry, "removed");
    return entry;
  }

  #finish(entry: StateEntry): void {
    entry.init = undefined;
    showValue(entry);
    entry.observer.stop();
  }

  // Values

  get(key: string): unknown {
    const entry = this.#states.get(key);
    if (entry && this.#changed.has(entry)) this.#put(entry);
    return this.rows.get(key);
  }

  set(key: string, value: Storable): KVOperation {
    checkStateKey(key);
    if (value === undefined) return this.remove(key);
    void this.rows.promise();
    const entry = this.#states.get(key);
    if (entry) showValue(entry, value);
    return this.rows.put(key, entry?.observer.copy ?? plain(value));
  }

  remove(key: string): KVOperation {
    checkStateKey(key);
    const entry = this.#states.get(key);
    if (entry) this.#drop(entry);
    const removing = this.rows.put(key, undefined);
    if (entry)
      removing.promise().then(
        () => this.#finish(entry),
        (error: Error) => markState(entry, "error", error),
      );
    return removing;
  }
}

const storeOver = (states: States): KVStore => {
  const { rows } = states;
  return {
    get status() {
      return rows.status;
    },
    get error() {
      return rows.error;
    },
    get busy() {
      return rows.busy;
    },
    get: (key) => states.get(key),
    set: (key, value) => states.set(key, value),
    delete: (key) => states.remove(key),
    subscribe: (listener) => rows.subscribe(listener),
    promise: () => rows.promise(),
    completed: () => rows.completed(),
    close: () => rows.close(),
  };
};

/** The function over the rows of a backend. `onClose` is called when its store is closed. */
export function statesOf(connect: Connect, delay: number, onClose: () => void): KVFn {
  const states = new States(connect, delay, onClose);
  const store = storeOver(states);
  const use = (key: string, init?: unknown): KVState => {
    const entry = states.find(key, init);
    entry.users++;
    return entry.state;
  };
  return Object.assign(use, {
    peek: (key: string, init?: unknown) => states.find(key, init).state,
    leave: (state: object) => states.leave(state),
    remove: (key: string) => void states.remove(key),
    ready: () => states.rows.completed(),
    flush: () => states.rows.flush(),
    subscribe: subscribeTo,
    snapshot: snapshotOf,
    store: () => store,
  }) as KVFn;
}
