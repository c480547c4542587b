import type { Store } from "../../api.ts";
import { untilDone } from "../../concurrency/retry.ts";
import { KvError } from "../../errors.ts";
import type { Key } from "../../versioned/key.ts";
import { type VersionedStore, versioned } from "../../versioned/versioned.ts";
import { ifPossible } from "../shared/if-possible.ts";

type Members = { readonly [name: string]: unknown };

// The Date of each kind. It is kept as a text, so that the store needs no codec.
const DATES: Members = { user: "emailVerified", session: "expires", token: "expires" };

function mapDate(key: Key, record: Members, map: (date: unknown) => unknown): Members {
  const name = DATES[key[0] as string] as string | undefined;
  return name !== undefined && Object.hasOwn(record, name)
    ? { ...record, [name]: map(record[name]) }
    : record;
}

const stored = (key: Key, record: object): Members =>
  mapDate(key, record as Members, (date) => (date instanceof Date ? date.toISOString() : date));

const restored = (key: Key, value: unknown): Members =>
  mapDate(key, value as Members, (text) => (typeof text === "string" ? new Date(text) : text));

/** The deadline of a session or token is that of its record. */
const deadlineOf = (key: Key, record: object): { expires?: Date } =>
  ["session", "token"].includes(key[0] as string)
    ? { expires: (record as { expires: Date }).expires }
    : {};

const owner = (record: unknown): string => (record as { userId: string }).userId;

/** The records of Auth.js: each under its kind and its id. */
export class Records {
  readonly #store: VersionedStore;

  constructor(store: Store) {
    this.#store = versioned(store, {
      indexes: {
        email: {
          prefix: ["user"],
          of: (user) => (user as { email?: string | null }).email,
          unique: true,
        },
        account: { prefix: ["account"], of: owner },
        session: { prefix: ["session"], of: owner },
        authenticator: { prefix: ["authenticator"], of: owner },
      },
    });
  }

  async get(key: Key): Promise<unknown> {
    const entry = await ifPossible(() => this.#store.get(key));
    return entry === null || entry.version === null ? null : restored(key, entry.value);
  }

  async userOf(email: string): Promise<unknown> {
    const entry = await ifPossible(() => this.#store.getBy("email", email));
    return entry && restored(entry.key, entry.value);
  }

  /** Creates a record. @throws {KvError} KV_CONFLICT when there is one. */
  async create(key: Key, record: object): Promise<void> {
    const { ok } = await this.#store
      .atomic()
      .check({ key, version: null })
      .set(key, stored(key, record), deadlineOf(key, record))
      .commit();
    if (!ok) throw new KvError("KV_CONFLICT", `this ${key[0]} exists already`);
  }

  /** Changes members of a record, whatever others change meanwhile. `null`: there is none. */
  change(key: Key, members: object): Promise<{ record: unknown } | null> {
    return untilDone(async () => {
      const entry = await this.#store.get<Members>(key);
      if (entry.version === null) return { done: null };
      const record = { ...restored(key, entry.value), ...members };
      const { ok } = await this.#store
        .atomic()
        .check(entry)
        .set(key, stored(key, record), deadlineOf(key, record))
        .commit();
      if (ok) return { done: { record } };
      // A failed commit that changed nothing else means that the email is taken.
      const { version } = await this.#store.get(key);
      if (version !== entry.version) return null;
      throw new KvError("KV_CONFLICT", "another user has this email address");
    }).then(({ done }) => done);
  }

  delete(key: Key): Promise<boolean> {
    return this.#store.delete(key);
  }

  /** Reads and deletes in one step. */
  async take(key: Key): Promise<unknown> {
    const entry = await ifPossible(() => this.#store.get(key));
    if (entry === null || entry.version === null) return null;
    const { ok } = await this.#store.atomic().check(entry).delete(key).commit();
    return ok ? restored(key, entry.value) : null;
  }

  async ofUser(kind: "account" | "session" | "authenticator", id: string): Promise<unknown[]> {
    const found: unknown[] = [];
    for await (const { key, value } of this.#store.listBy(kind, id))
      found.push(restored(key, value));
    return found;
  }

  async #keysOf(id: string): Promise<Key[]> {
    const keys: Key[] = [];
    for (const kind of ["account", "session", "authenticator"])
      for await (const { key } of this.#store.listBy(kind, id)) keys.push(key);
    return keys;
  }

  /** Deletes a user and everything of it. */
  async deleteUser(id: string): Promise<void> {
    // Again after the user: a login of the same moment may have created a session.
    for (let isGone = false; ; isGone = true) {
      const keys = await this.#keysOf(id);
      if (isGone && keys.length === 0) return;
      // In parts, because a transaction has a limit. The user goes with the last part.
      for (const part of partsOf([...keys, ["user", id]])) {
        const transaction = this.#store.atomic();
        for (const key of part) transaction.delete(key);
        await transaction.commit();
      }
    }
  }
}

const MOST = 900;

const partsOf = (keys: readonly Key[]): Key[][] =>
  Array.from({ length: Math.ceil(keys.length / MOST) }, (_, i) =>
    keys.slice(i * MOST, (i + 1) * MOST),
  );
