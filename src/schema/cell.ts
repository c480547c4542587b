import type { Entry } from "../api.ts";
import { update } from "../atomic/update.ts";
import { isKvError, KvError, type KvErrorCode } from "../errors.ts";
import { deadline } from "../expires.ts";
import { type Guarded, guardOf } from "../guard.ts";
import { checkOptions } from "../options.ts";
import type { StructureCalls, StructureName, StructureReads, StructureWrites } from "../structures.ts";
import type { Expires, StructurePlace } from "../types.ts";
import { tell, type Watched } from "../watch.ts";
import type { FieldWriteOptions } from "./fields.ts";
import type { Ground } from "./ground.ts";
import { IS_STATE, READS, type States, type Step, WRITES } from "./states.ts";

/** What the record of a field holds: its state under the name of its kind. */
export type Content = { readonly [member: string]: unknown };

type Native = <Name extends StructureName>(name: Name, place: Partial<StructurePlace>, ...args: Parameters<StructureCalls[Name]>) => Promise<ReturnType<StructureCalls[Name]>>;

/**
 * The place of one field. Numbers and collections are the client's own where it has such types; anything else is one record, and changed by
 * compare-and-set.
 */
export class Cell {
  /** The path, without the prefix of the store underneath. */
  readonly key: string;
  readonly kind: string;
  readonly ground: Ground;

  constructor(ground: Ground, key: string, kind: string) {
    this.ground = ground;
    this.key = key;
    this.kind = kind;
  }

  /** The key as the client sees it. */
  get full(): string {
    return this.ground.context.prefix + this.key;
  }

  /** The type of the client. */
  get client(): string {
    return this.ground.store.type;
  }

  /** What those watch who watch this field. */
  get watched(): Watched {
    return { connection: this.ground.context.connection, keys: [this.full] };
  }

  /** What the client does itself; `undefined` where the field is a record. */
  async native(): Promise<Native | undefined> {
    const { connection, expires, timeout } = this.ground.context;
    const adapter: Guarded = await guardOf(connection, timeout);
    const structure = adapter.structure;
    if (structure === undefined || !Object.hasOwn(IS_STATE, stateKind(this.kind))) return undefined;
    const initial = this.#deadline(expires) ?? null;
    // Each answer is what the name says: both sides are made from one table.
    const ask: Native = async (name, place, ...args) => (await structure(name, { key: this.full, expires: undefined, initial, ...place }, ...args)) as never;
    return (name, place, ...args) => ask(name, place, ...args).catch((error) => this.refuse(error));
  }

  /** Reads something of the field. */
  async read<Name extends keyof StructureReads>(name: Name, ...args: Parameters<StructureReads[Name]>): Promise<ReturnType<StructureReads[Name]>> {
    const native = await this.native();
    if (native !== undefined) return native(name, {}, ...(args as never)) as never;
    // The kind of the name is that of the cell, so that state and arguments are what its function takes.
    const reading = READS[name] as (state: unknown, ...args: unknown[]) => never;
    return reading(this.#stateIn(await this.content()), ...args);
  }

  /** Changes something of the field. */
  async write<Name extends keyof StructureWrites>(options: FieldWriteOptions | undefined, name: Name, ...args: Parameters<StructureWrites[Name]>): Promise<ReturnType<StructureWrites[Name]>> {
    const expires = this.#expiryOf(options);
    const native = await this.native();
    if (native !== undefined) {
      const answer = await native(name, { expires: this.#deadline(expires) }, ...(args as never));
      tell(this.watched);
      return answer as never;
    }
    const writing = WRITES[name] as (state: unknown, ...args: unknown[]) => Step<unknown, never>;
    if (name.endsWith(".write")) {
      const [state] = writing(null, ...args);
      await this.put(state === null ? null : { [this.kind]: state }, options);
      return undefined as never;
    }
    return this.change((content) => {
      const [state, answer] = writing(this.#stateIn(content), ...args);
      return [state === null ? null : state === undefined ? undefined : { [this.kind]: state }, answer];
    }, options);
  }

  /** The entry of the record; `null` when there is none. @throws {KvError} KV_FOREIGN for one of another kind. */
  async entry(): Promise<Entry<unknown> | null> {
    const entry = await this.ground.store.entry<unknown>(this.key).catch((error) => this.refuse(error));
    this.#check(entry?.value);
    return entry;
  }

  async content(): Promise<Content | null> {
    return ((await this.entry())?.value ?? null) as Content | null;
  }

  /** Changes the record by what it holds, whoever else does. `null` removes it, `undefined` leaves it. */
  async change<R>(decide: (content: Content | null) => Step<Content, R> | Promise<Step<Content, R>>, options: FieldWriteOptions | undefined): Promise<R> {
    const expires = this.#expiryOf(options);
    let answer: R;
    const changing = async (value: unknown): Promise<unknown> => {
      this.#check(value);
      const [next, result] = await decide(value as Content | null);
      answer = result;
      return next === undefined && expires !== undefined && value !== null ? value : next;
    };
    await update<unknown>(this.ground.store, this.key, changing, { expires }).catch((error) => this.refuse(error));
    tell(this.watched);
    return answer!;
  }

  /** Replaces the record, whatever it holds. Clients without compare-and-set can do that much. */
  async put(content: Content | null, options: FieldWriteOptions | undefined): Promise<void> {
    const { store, context } = this.ground;
    await guardOf(context.connection, context.timeout);
    if (store.supports.atomic !== "no") return this.change(() => [content, undefined], options);
    const expires = this.#expiryOf(options);
    const entry = await this.entry();
    const before = entry === null ? undefined : entry.expires === null ? null : new Date(entry.expires);
    await store.set(this.key, content, { expires: expires === undefined ? before : expires });
    tell(this.watched);
  }

  async erase(): Promise<void> {
    await this.ground.store.del(this.key);
    tell(this.watched);
  }

  /** Moves the deadline, if the field is there. */
  async touch(expires: Expires, isThere: () => Promise<boolean>): Promise<boolean> {
    if (expires === undefined) throw new KvError("KV_INVALID_EXPIRES", "touch() needs an expiry: null for never", { client: this.client, key: this.full });
    const at = this.#deadline(expires);
    const native = await this.native();
    if (!(await isThere())) return false;
    const isTouched = await (native === undefined ? this.ground.store.touch(this.key, expires) : native("any.touch", { expires: at }));
    tell(this.watched);
    return isTouched;
  }

  /** Throws the error; what the client calls foreign is only of another kind, perhaps. */
  refuse(error: unknown): never {
    if (!isKvError(error, "KV_FOREIGN")) throw error;
    throw this.#foreign();
  }

  /** Checks options as {@link checkOptions} does. Its errors say which field they are about. */
  checkOptions(options: unknown, known: readonly string[], where: string, code?: KvErrorCode): void {
    try {
      checkOptions(options, known, where, code);
    } catch (error) {
      this.ground.context.connection.refuse(error, "writing", this.full);
    }
  }

  /** The moment of an expiry; `undefined` for none. @throws {KvError} KV_INVALID_EXPIRES. */
  #deadline(expires: Expires | undefined): number | null | undefined {
    try {
      return expires === undefined ? undefined : deadline(expires, Date.now());
    } catch (error) {
      return this.ground.context.connection.refuse(error, "writing", this.full);
    }
  }

  /** @throws {KvError} KV_INVALID_EXPIRES for what is no expiry, and for options that are none. */
  #expiryOf(options: FieldWriteOptions | undefined): Expires | undefined {
    // A bare duration or Date in its place would mean "never" by mistake.
    this.checkOptions(options, ["expires"], "a write", "KV_INVALID_EXPIRES");
    this.#deadline(options?.expires);
    return options?.expires;
  }

  #foreign(): KvError {
    return new KvError("KV_FOREIGN", `what is kept under ${JSON.stringify(this.full)} is no ${this.kind}: erase() removes it`, { client: this.client, key: this.full });
  }

  #check(value: unknown): void {
    if (value === null || value === undefined) return;
    if (typeof value !== "object" || !Object.hasOwn(value, this.kind)) throw this.#foreign();
  }

  #stateIn(content: Content | null): unknown {
    if (content === null) return null;
    const state = content[this.kind];
    if (!IS_STATE[stateKind(this.kind) as keyof States](state)) throw this.#foreign();
    return state;
  }
}

/** The kind without the number of bits that a bitset has. */
const stateKind = (kind: string): string => kind.replace(/\d+$/, "");
