import type { Entry } from "../api.ts";
import { update } from "../atomic/update.ts";
import { untilDone } from "../concurrency/retry.ts";
import { isKvError } from "../errors.ts";
import type { Guarded } from "../store/guarded.ts";
import type { Expires } from "../types.ts";
import { keptExpiry } from "./kept.ts";
import type { Place } from "./place.ts";
import { Collection } from "./collection.ts";
import { isHead } from "./parts-head.ts";
import { partLayoutOf } from "./part-layout.ts";
import { IS_STATE, type States, type Step, WRITES } from "./states.ts";
import type {
  StructureCalls,
  StructureName,
  StructurePlace,
  StructureReads,
  StructureWrites,
} from "../clients/adapter.ts";

/** The value of a field's record: its state under the name of its kind. */
export type Content = { readonly [member: string]: unknown };

/** Asks the client for something that it does itself. */
type Native = <Name extends StructureName>(
  name: Name,
  place: Partial<StructurePlace>,
  ...args: Parameters<StructureCalls[Name]>
) => Promise<ReturnType<StructureCalls[Name]>>;

/** The kind without the number of bits that a bitset has. */
const stateKind = (kind: string): string => kind.replace(/\d+$/, "");

/** Whether a client can have its own type for a kind of field. */
const canBeNative = (kind: string): boolean => Object.hasOwn(IS_STATE, stateKind(kind));

/**
 * The steps of an operation on a field, for an operation that has its turn. Numbers and collections
 * are the client's own where it has such types; anything else is one record, and changed by
 * compare-and-set.
 */
export class Steps {
  readonly place: Place;
  readonly #adapter: Guarded;

  constructor(place: Place, adapter: Guarded) {
    this.place = place;
    this.#adapter = adapter;
  }

  /** The client's own operations; `undefined` where the field is a record. */
  native(): Native | undefined {
    const own = this.place;
    const { structure } = this.#adapter;
    if (structure === undefined || !canBeNative(own.kind)) return undefined;
    const initial = own.deadline(own.base.context.expires) ?? null;
    // Each answer has the type of its name: both sides are made from one table.
    const ask: Native = async (name, place, ...args) =>
      (await structure(
        name,
        { key: own.full, expires: undefined, initial, ...place },
        ...args,
      )) as never;
    return (name, place, ...args) => ask(name, place, ...args).catch((error) => own.refuse(error));
  }

  /** Reads something of the field. */
  async read<Name extends keyof StructureReads>(
    name: Name,
    ...args: Parameters<StructureReads[Name]>
  ): Promise<ReturnType<StructureReads[Name]>> {
    const native = this.native();
    if (native !== undefined) return native(name, {}, ...(args as never)) as never;
    return (await new Collection(this).read(name, args)) as never;
  }

  /** Changes something of the field. */
  async write<Name extends keyof StructureWrites>(
    expires: Expires | undefined,
    name: Name,
    ...args: Parameters<StructureWrites[Name]>
  ): Promise<ReturnType<StructureWrites[Name]>> {
    const native = this.native();
    if (native !== undefined) {
      const answer = await native(
        name,
        { expires: this.place.deadline(expires) },
        ...(args as never),
      );
      return answer as never;
    }
    if (name.endsWith(".write") && this.place.base.turns.inside.supports.atomic === "no") {
      const [state] = (
        WRITES[name] as (state: unknown, ...args: unknown[]) => Step<unknown, never>
      )(null, ...args);
      await this.put(state === null ? null : { [this.place.kind]: state }, expires);
      return undefined as never;
    }
    return (await new Collection(this).write(expires, name, args)) as never;
  }

  /**
   * The entry of the record; `null` when there is none. @throws {KvError} KV_FOREIGN for one of
   * another kind.
   */
  async entry(): Promise<Entry<unknown> | null> {
    const { base, key } = this.place;
    const entry = await base.turns.inside
      .entry<unknown>(key)
      .catch((error) => this.place.refuse(error));
    this.#check(entry?.value);
    return entry;
  }

  /**
   * The same for a change that rests on it. @throws {KvError} KV_NOT_SUPPORTED without
   * compare-and-set.
   */
  async changeable(): Promise<Entry<unknown> | null> {
    const entry = await this.entry();
    const { inside } = this.place.base.turns;
    if (inside.supports.atomic === "no") await inside.commit([], []);
    return entry;
  }

  async content(): Promise<Content | null> {
    return ((await this.entry())?.value ?? null) as Content | null;
  }

  /** Replaces the record, whatever it holds. Clients without compare-and-set can do that much. */
  async put(content: Content | null, expires: Expires | undefined): Promise<void> {
    const { base, key } = this.place;
    const { inside } = base.turns;
    if (inside.supports.atomic !== "no") {
      await update<unknown>(inside, key, (value) => this.#checked(value, content), {
        expires,
      }).catch((error) => this.place.refuse(error));
      return;
    }
    const entry = await this.entry();
    await inside.set(key, content, {
      expires: expires === undefined ? keptExpiry(entry) : expires,
    });
  }

  /** Replaces the content of an entry, unless it was written since. Resolves to whether it did. */
  async replace(
    entry: Entry<unknown>,
    content: Content,
    expires: Expires | undefined,
  ): Promise<boolean> {
    const { base, key } = this.place;
    const write = {
      key,
      value: content,
      expires: expires === undefined ? keptExpiry(entry) : expires,
      metadata: entry.metadata,
    };
    const { ok } = await base.turns.inside.commit([{ key, version: entry.version }], [write]);
    return ok;
  }

  /** Moves the deadline, if the field is there. */
  async touch(expires: Expires, isThere: (steps: Steps) => Promise<boolean>): Promise<boolean> {
    const { base, key } = this.place;
    const native = this.native();
    if (!(await isThere(this))) return false;
    if (native !== undefined) return native("any.touch", { expires: this.place.deadline(expires) });
    if (this.#mayHaveParts()) return new Collection(this).touch(expires);
    return base.turns.inside.touch(key, expires);
  }

  /** Removes the field, whatever is stored there. */
  async erase(): Promise<void> {
    const { base, key, kind } = this.place;
    const { inside } = base.turns;
    if (this.native() !== undefined || !this.#mayHaveParts()) {
      await inside.del(key);
      return;
    }
    await untilDone(async () => {
      const record = await inside.entry<unknown>(key).catch((error) => {
        if (isKvError(error, "KV_FOREIGN") || isKvError(error, "KV_CORRUPT")) return null;
        throw error;
      });
      const state = (record?.value as Content | undefined)?.[kind];
      if (!isHead(state)) return inside.del(key);
      return (await new Collection(this).erase(record!, state)) || null;
    });
  }

  /** Whether the field may be a head and parts. They need compare-and-set. */
  #mayHaveParts(): boolean {
    const { base, kind } = this.place;
    return partLayoutOf(kind) !== undefined && base.turns.inside.supports.atomic !== "no";
  }

  #checked(value: unknown, next: Content | null): Content | null {
    this.#check(value);
    return next;
  }

  #check(value: unknown): void {
    if (value === null || value === undefined) return;
    if (typeof value !== "object" || !Object.hasOwn(value, this.place.kind))
      throw this.place.foreign();
  }

  /** The state in the record of a collection or number; `null` when there is no record. */
  stateIn(record: Entry<unknown> | null): unknown {
    if (record === null) return null;
    const state = (record.value as Content)[this.place.kind];
    if (partLayoutOf(this.place.kind) !== undefined && isHead(state)) return state;
    if (!IS_STATE[stateKind(this.place.kind) as keyof States](state)) throw this.place.foreign();
    return state;
  }
}
