import { isFresh } from "../../record/freshness.ts";
import type { KvRecord } from "../../record/types.ts";
import { versionOf } from "../../record/version.ts";
import { DeadlineTimer } from "./deadlines.ts";

/** The last seen record of a key. */
interface State {
  /** Tells one state from another; `""` for an absent key. */
  readonly text: string;
  /** The newest version that was seen, also while the key is absent. */
  readonly version: string | null;
}

const ABSENT: State = { text: "", version: null };

/** The states of the watched keys, and the timer of their deadlines. */
export class WatchStates {
  readonly #states = new Map<string, State>();
  readonly #deadlines: DeadlineTimer;

  /** `reached` is called with the keys whose deadline has passed. */
  constructor(reached: (keys: string[]) => void) {
    this.#deadlines = new DeadlineTimer(reached);
  }

  /** Whether this state of a key is new. Remembers it; an older version changes nothing. */
  learn(key: string, record: KvRecord | null, now: number): boolean {
    const before = this.#states.get(key) ?? ABSENT;
    const after = stateOf(record, now, before.version);
    if (after === null || after.text === before.text) return false;
    this.#deadlines.set(key, after.text === "" ? null : record!.expires);
    this.#states.set(key, after);
    return true;
  }

  /** Whether a listed record, which may lack its value, differs from the state of its key. */
  differs(key: string, record: KvRecord, now: number): boolean {
    const before = this.#states.get(key) ?? ABSENT;
    if (versionOf(record) === null && record.value === null) return true;
    const after = stateOf(record, now, before.version);
    return after !== null && after.text !== before.text;
  }

  /** The present keys under a prefix. */
  *present(prefix: string): Generator<string, void, undefined> {
    for (const [key, { text }] of this.#states)
      if (text !== "" && key.length > prefix.length && key.startsWith(prefix)) yield key;
  }

  forget(key: string): void {
    this.#states.delete(key);
    this.#deadlines.set(key, null);
  }

  keys(): Iterable<string> {
    return this.#states.keys();
  }

  clear(): void {
    this.#states.clear();
    this.#deadlines.clear();
  }
}

/** The state of a record; `null` for a version older than one that was seen. */
function stateOf(record: KvRecord | null, now: number, seen: string | null): State | null {
  if (!isFresh(record, now)) return { text: "", version: seen };
  const version = versionOf(record);
  if (version !== null && seen !== null && version < seen) return null;
  const content = version ?? JSON.stringify([record.value, record.metadata]);
  return { text: `${content} ${record.expires}`, version };
}
