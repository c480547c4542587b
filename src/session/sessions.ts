import type { Entry, Store } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { isKvError, KvError } from "../errors.ts";
import { deadline } from "../expires.ts";
import { checkOptions } from "../platform/options.ts";
import { requireAtomic, requireStore } from "../store/require-store.ts";
import type { Expires, Json } from "../types.ts";
import { mergeChanges } from "./merge.ts";

/** Options of {@link createSessions}. */
export interface SessionsOptions {
  /** The expiry of a session that is written without one. Default `"1d"`. */
  expires?: Expires | undefined;
  /**
   * When another request has saved the session since this one read it: `"last"` replaces that save,
   * `"merge"` keeps the members that this request did not change, `"refuse"` rejects with
   * KV_CONFLICT. Default `"last"`.
   */
  onConflict?: "last" | "merge" | "refuse" | undefined;
  /** How long a late save cannot create a destroyed session again. Default `"1h"`. */
  tombstone?: Expires | undefined;
}

/** Sessions in a store, for authors of integrations. */
export interface Sessions {
  /**
   * The data of a session; `null` when it is absent, expired or destroyed. The object that is
   * returned stands for the version that was read: pass the same object to `write`.
   */
  read<T = Json>(id: string): Promise<T | null>;
  /** Lets a framework's own copy stand for the object that `read` returned. */
  adopt(copy: object, original: object): void;
  /**
   * Saves a session. Data goes through `JSON.stringify`. Resolves to `false`, and saves nothing,
   * when the session was destroyed, or has ended since it was read.
   *
   * @param expires when the session ends; the default of these sessions when left out.
   * @throws {KvError} KV_CONFLICT with `onConflict: "refuse"`.
   */
  write(id: string, data: unknown, expires?: Expires): Promise<boolean>;
  /** Saves a new session in one round trip. */
  create(id: string, data: unknown, expires?: Expires): Promise<boolean>;
  /** Moves the deadline and leaves the data. Resolves to whether there was a session. */
  touch(id: string, expires?: Expires): Promise<boolean>;
  /** Ends a session. Whatever is saved later does not bring it back. */
  destroy(id: string): Promise<void>;
  /** The ids and the data of all sessions. */
  all<T = Json>(): Promise<[id: string, data: T][]>;
  count(): Promise<number>;
  /** Ends all sessions. */
  clear(): Promise<void>;
}

// A value and not metadata, which some clients do not keep.
const TOMBSTONE = { "anykv.session": "destroyed" };
const isTombstone = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  (value as { [name: string]: unknown })["anykv.session"] === "destroyed";

/** A saved state: the version and the data as JSON text. */
interface State {
  readonly version: string | null;
  readonly text: string;
}

/** The last read or saved state of a session. The text stays empty with `onConflict: "last"`. */
interface Known extends State {
  readonly id: string;
}

/** How a session is saved. */
interface Save {
  readonly text: string;
  readonly known: Known | undefined;
  readonly expires: Expires;
}

const ON_CONFLICT = ["last", "merge", "refuse"];

/** @throws {KvError} for options that cannot be used. */
function checkSessionsOptions(store: Store, options: SessionsOptions): void {
  const { expires, onConflict = "last", tombstone } = options;
  for (const each of [expires, tombstone]) deadline(each, Date.now());
  if (tombstone === null)
    throw new KvError("KV_INVALID_EXPIRES", "tombstone is a duration: null would keep it forever");
  if (!ON_CONFLICT.includes(onConflict))
    throw new KvError("KV_INVALID_VALUE", `onConflict is one of ${ON_CONFLICT.join(", ")}`);
  if (onConflict !== "last") requireAtomic(store, `onConflict: "${onConflict}"`);
}

class StoredSessions implements Sessions {
  readonly #store: Store;
  readonly #expires: Expires;
  readonly #onConflict: "last" | "merge" | "refuse";
  readonly #tombstone: Expires;
  readonly #known = new WeakMap<object, Known>();
  readonly #saving = new WeakMap<object, Promise<boolean>>();

  constructor(store: Store, options: SessionsOptions) {
    this.#store = store;
    this.#expires = options.expires === undefined ? "1d" : options.expires;
    this.#onConflict = options.onConflict ?? "last";
    this.#tombstone = options.tombstone ?? "1h";
  }

  async read<T = Json>(id: string): Promise<T | null> {
    const entry = await this.#store.entry<Json>(id);
    if (entry === null || isTombstone(entry.value)) return null;
    const text = this.#onConflict === "last" ? "" : JSON.stringify(entry.value);
    this.#remember(entry.value, { id, version: entry.version, text });
    return entry.value as T;
  }

  adopt(copy: object, original: object): void {
    const known = this.#known.get(original);
    if (known !== undefined) this.#known.set(copy, known);
  }

  write(id: string, data: unknown, expires: Expires = this.#expires): Promise<boolean> {
    return this.#save(id, data, expires, false);
  }

  create(id: string, data: unknown, expires: Expires = this.#expires): Promise<boolean> {
    return this.#save(id, data, expires, true);
  }

  touch(id: string, expires: Expires = this.#expires): Promise<boolean> {
    return this.#store.touch(id, expires as null);
  }

  async destroy(id: string): Promise<void> {
    try {
      await this.#store.set(id, TOMBSTONE, { expires: this.#tombstone as null });
    } catch (error) {
      // Where nothing more can be written, a person can still log out.
      if (!isKvError(error, "KV_QUOTA")) throw error;
      await this.#store.del(id);
    }
  }

  async all<T = Json>(): Promise<[id: string, data: T][]> {
    const found = await this.#store.entries<T>();
    return found.filter(([, data]) => !isTombstone(data));
  }

  async count(): Promise<number> {
    let count = 0;
    for await (const [, data] of this.#store) if (!isTombstone(data)) count++;
    return count;
  }

  async clear(): Promise<void> {
    await this.#store.clear();
  }

  async #save(id: string, data: unknown, expires: Expires, isNew: boolean): Promise<boolean> {
    const text = JSON.stringify(data);
    if (text === undefined)
      throw new KvError("KV_INVALID_VALUE", `the data of a session cannot be a ${typeof data}`);
    const run = (): Promise<boolean> => this.#saveText(id, data, text, expires, isNew);
    return typeof data === "object" && data !== null ? this.#inTurn(data, run) : run();
  }

  /** Saves of one object start from one another, and are no conflict. */
  #inTurn(data: object, save: () => Promise<boolean>): Promise<boolean> {
    const before = this.#saving.get(data);
    const saved = before === undefined ? save() : before.then(save, save);
    this.#saving.set(data, saved);
    const forget = (): void => {
      if (this.#saving.get(data) === saved) this.#saving.delete(data);
    };
    void saved.then(forget, forget);
    return saved;
  }

  #saveText(
    id: string,
    data: unknown,
    text: string,
    expires: Expires,
    isNew: boolean,
  ): Promise<boolean> {
    const last = Object(data) === data ? this.#known.get(data as object) : undefined;
    // A framework that rotates ids saves the same object under a new id.
    const known = last?.id === id ? last : undefined;
    const save: Save = { text, known, expires };
    // The version that was read is most often still the newest. Without compare-and-set, a look at
    // the stored record is all that keeps a destroyed session destroyed.
    let checked: string | null | undefined =
      this.#store.supports.atomic === "no"
        ? undefined
        : (known?.version ?? (isNew ? null : undefined));
    return untilDone(async () => {
      const version = checked;
      checked = undefined;
      const done =
        version === undefined
          ? await this.#saveOver(id, save, await this.#store.entry<Json>(id))
          : await this.#commit(id, text, version, expires);
      if (done === null || done === false) return done;
      this.#remember(data, { id, ...done });
      return true;
    });
  }

  /** Saves after a read: `false` for an ended session, `null` to try again. */
  async #saveOver(
    id: string,
    { text, known, expires }: Save,
    entry: Entry<Json> | null,
  ): Promise<State | false | null> {
    if (entry === null ? known !== undefined : isTombstone(entry.value)) return false;
    const isChanged =
      this.#onConflict !== "last" &&
      entry !== null &&
      known !== undefined &&
      JSON.stringify(entry.value) !== known.text;
    if (!isChanged) return this.#commit(id, text, entry?.version ?? null, expires);
    if (this.#onConflict === "refuse")
      throw new KvError("KV_CONFLICT", "another request has saved this session: read it again", {
        client: this.#store.type,
      });
    const [base, mine] = [known.text, text].map((each) => JSON.parse(each) as Json);
    const merged = mergeChanges(base, mine, entry.value) ?? null;
    const done = await this.#commit(id, JSON.stringify(merged), entry.version, expires);
    // The object lacks what was merged: its next save has to merge too.
    return done && { version: null, text };
  }

  /** Writes if the version is still the newest; `null` otherwise. */
  async #commit(
    id: string,
    text: string,
    version: string | null,
    expires: Expires,
  ): Promise<State | null> {
    const value = JSON.parse(text) as Json;
    if (this.#store.supports.atomic === "no") {
      await this.#store.set(id, value, { expires: expires as null });
      return { version: null, text };
    }
    const write = { key: id, value, expires };
    const result = await this.#store.commit([{ key: id, version }], [write]);
    return result.ok ? { version: result.version, text } : null;
  }

  #remember(data: unknown, known: Known): void {
    if (typeof data === "object" && data !== null) this.#known.set(data, known);
  }
}

/**
 * Sessions over a store, for authors of integrations: a framework reads, saves, touches and
 * destroys them by an id.
 *
 * - `touch` only moves the deadline. It never writes data back that another request has replaced.
 * - A destroyed session stays destroyed: it leaves a tombstone, and a late save is dropped.
 * - Where `supports.atomic` is not `"no"`, saves check the version that was read: see `onConflict`.
 *
 * @throws {KvError} KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE and
 * KV_INVALID_EXPIRES for options that cannot be used; KV_NOT_SUPPORTED for `"merge"` and `"refuse"`
 * without compare-and-set.
 * @example
 * import kv from "anykv";
 * import { createSessions } from "anykv/session";
 *
 * const sessions = createSessions(kv(new Map()).prefix("session:"), { onConflict: "merge" });
 * await sessions.create("s1", { user: "ann" });
 * const [one, two] = [await sessions.read("s1"), await sessions.read("s1")];
 * await sessions.write("s1", Object.assign(one, { cart: 1 }));
 * await sessions.write("s1", Object.assign(two, { theme: "dark" }));
 * console.log(await sessions.read("s1")); // { user: "ann", cart: 1, theme: "dark" }
 * await sessions.destroy("s1");
 * console.log(await sessions.write("s1", one), await sessions.read("s1")); // false null
 */
export function createSessions(store: Store, options: SessionsOptions = {}): Sessions {
  requireStore(store, "createSessions()");
  checkOptions(options, ["expires", "onConflict", "tombstone"], "createSessions()");
  checkSessionsOptions(store, options);
  return new StoredSessions(store, options);
}
