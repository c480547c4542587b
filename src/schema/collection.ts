import type { CommitWrite, Entry } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import type { Expires } from "../types.ts";
import type { Place } from "./place.ts";
import { READS, WRITES } from "./states.ts";
import {
  type PartsHead,
  isHead,
  outlives,
  type Part,
  type Parts,
  partKey,
  partsDeadline,
} from "./parts-head.ts";
import { type PartLayout, partLayoutOf } from "./part-layout.ts";
import { type Name, type Outcome, planFor } from "./part-plans.ts";
import { keptOptions } from "./kept.ts";

/** The most records that one commit writes for a collection. */
const MOST_WRITES = 900;

/** `null` where there is no record. */
type MaybeEntry = Entry<unknown> | null;

/** The record of a field. */
export interface FieldRecord {
  readonly place: Place;
  /** The entry of the record; `null` when there is none. */
  entry(): Promise<MaybeEntry>;
  /** The same for a change. @throws {KvError} KV_NOT_SUPPORTED without compare-and-set. */
  changeable(): Promise<MaybeEntry>;
  /** The state in an entry. @throws {KvError} KV_FOREIGN for one of another kind. */
  stateIn(record: MaybeEntry): unknown;
}

const GONE = { state: null, writes: [] };
type Read = (state: unknown, ...args: readonly unknown[]) => unknown;
type Write = (
  state: unknown,
  ...args: readonly unknown[]
) => readonly [Part | number | null | undefined, unknown];

/**
 * A collection: a small one is one record, a large one is a head and parts. For an operation that
 * has its turn.
 */
export class Collection {
  readonly #field: FieldRecord;
  readonly #layout: PartLayout | undefined;

  constructor(field: FieldRecord) {
    this.#field = field;
    this.#layout = partLayoutOf(field.place.kind);
  }

  /** Reads something: of a large collection the head, the parts that matter, and the head again. */
  async read(name: Name, args: readonly unknown[]): Promise<unknown> {
    const { answer } = await untilDone(async () => {
      const record = await this.#field.entry();
      const state = this.#field.stateIn(record);
      if (!isHead(state)) return { answer: readState(name, state, args) };
      const plan = planFor(this.#field.place.kind, name, state, args);
      const indexes = plan?.indexes ?? this.#layout!.indexes(state);
      const parts = await this.#parts(state, indexes);
      if (indexes.length > 0 && !(await this.#isStill(record))) return null;
      if (parts === undefined) return { answer: readState(name, null, args) };
      return (
        plan?.run(parts) ?? {
          answer: readState(name, this.#layout!.join(state, parts), args),
        }
      );
    });
    return answer;
  }

  /** Changes something. Tries again when another writer was faster. */
  async write(
    expires: Expires | undefined,
    name: Name,
    args: readonly unknown[],
  ): Promise<unknown> {
    const { answer } = await untilDone(() => this.#attempt(expires, name, args));
    return answer;
  }

  /** Moves the deadline. Resolves to whether the collection was there. */
  touch(expires: Expires): Promise<boolean> {
    return untilDone(async () => {
      const record = await this.#field.changeable();
      if (record === null) return { isThere: false };
      return (await this.#keep(record, expires)) ? { isThere: true } : null;
    }).then(({ isThere }) => isThere);
  }

  /** Removes a collection in parts. Resolves to whether the record was still the newest. */
  async erase(record: Entry<unknown>, head: PartsHead): Promise<boolean> {
    const { place } = this.#field;
    if (!(await this.#commit(record, [{ key: place.key, value: null }]))) return false;
    await place.base.turns.inside.delMany(this.#partKeys(head));
    return true;
  }

  async #attempt(
    expires: Expires | undefined,
    name: Name,
    args: readonly unknown[],
  ): Promise<Outcome | null> {
    const record = await this.#field.changeable();
    const state = this.#field.stateIn(record);
    const head = isHead(state) ? state : null;
    if (head !== null) {
      const done = await this.#changeParts(record!, head, expires, name, args);
      if (done !== "whole") return done;
    }
    const before = name.endsWith(".write") ? null : head === null ? state : await this.#whole(head);
    const [next, answer] = (WRITES[name as keyof typeof WRITES] as Write)(before, ...args);
    const isDone =
      next === undefined
        ? record === null || expires === undefined || (await this.#keep(record, expires))
        : await this.#rewrite(record, head, next, expires);
    return isDone ? { answer } : null;
  }

  /** Does an operation on a few parts; `"whole"` when that takes the whole collection. */
  async #changeParts(
    record: Entry<unknown>,
    head: PartsHead,
    expires: Expires | undefined,
    name: Name,
    args: readonly unknown[],
  ): Promise<Outcome | null | "whole"> {
    const { place } = this.#field;
    const plan = planFor(place.kind, name, head, args);
    if (plan === undefined || plan.indexes.length > MOST_WRITES) return "whole";
    const { deadline, options } = keptOptions(place, record, expires);
    if (!outlives(head, deadline)) return "whole";
    const parts = await this.#parts(head, plan.indexes);
    if (parts === undefined) return (await this.#isStill(record)) ? "whole" : null;
    const outcome = plan.run(parts);
    if (outcome.head === undefined)
      return expires === undefined || (await this.#keep(record, expires)) ? outcome : null;
    const isSparse = outcome.head.size < this.#layout!.least(outcome.head);
    if (outcome.parts!.size > MOST_WRITES || isSparse) return "whole";
    const writes = this.#partWrites(outcome.head, outcome.parts!);
    writes.push({ key: place.key, value: { [place.kind]: outcome.head }, ...options });
    return (await this.#commit(record, writes)) ? outcome : null;
  }

  /** Moves the deadline. Resolves to whether the record was still the newest. */
  async #keep(record: Entry<unknown>, expires: Expires): Promise<boolean> {
    const state = this.#field.stateIn(record);
    const { place } = this.#field;
    const { deadline, options } = keptOptions(place, record, expires);
    if (isHead(state) && !outlives(state, deadline))
      return this.#rewrite(record, state, await this.#whole(state), expires);
    return this.#commit(record, [{ key: place.key, value: record.value, ...options }]);
  }

  /** Replaces the whole state. Resolves to whether the record was still the newest. */
  async #rewrite(
    record: MaybeEntry,
    before: PartsHead | null,
    next: Part | number | null,
    expires: Expires | undefined,
  ): Promise<boolean> {
    const { place } = this.#field;
    const { inside } = place.base.turns;
    const { deadline, options } = keptOptions(place, record, expires);
    const old = before === null ? [] : this.#partKeys(before);
    const removed = old.map((key): CommitWrite => ({ key, value: null }));
    const isGone = next === null || (deadline !== null && deadline <= Date.now());
    const { state, writes } = isGone ? GONE : this.#divided(next, deadline);
    const value = state === null ? null : { [place.kind]: state };
    const headWrite = { key: place.key, value, ...options };
    if (writes.length + removed.length <= MOST_WRITES)
      return this.#commit(record, [...writes, ...removed, headWrite]);
    // Too many for one commit: the new parts are written first, and belong to nothing until the
    // head is replaced.
    await inside.setMany(
      writes.map(({ key, value, expires }) => [key, value, { expires }]) as never,
    );
    const isDone = await this.#commit(record, [headWrite]);
    await inside.delMany(isDone ? old : writes.map(({ key }) => key));
    return isDone;
  }

  /** The state for the record of the field, and the writes of its parts. */
  #divided(
    state: Part | number,
    deadline: number | null,
  ): { state: Part | number | PartsHead; writes: readonly CommitWrite[] } {
    const layout = this.#layout;
    if (layout === undefined || typeof state === "number" || layout.sizeOf(state) <= layout.most)
      return { state, writes: [] };
    const { head, parts } = layout.split(state);
    const dated = { ...head, until: partsDeadline(deadline) };
    return { state: dated, writes: this.#partWrites(dated, parts) };
  }

  /** Commits if the record is still the newest. */
  async #commit(record: MaybeEntry, writes: readonly CommitWrite[]): Promise<boolean> {
    const { base, key } = this.#field.place;
    const check = { key, version: record?.version ?? null };
    const { ok } = await base.turns.inside
      .commit([check], writes)
      .catch((error) => this.#field.place.refuse(error));
    return ok;
  }

  #partWrites(head: PartsHead, parts: ReadonlyMap<number, Part | null>): CommitWrite[] {
    const expires = head.until === null ? null : new Date(head.until);
    const { key } = this.#field.place;
    return Array.from(parts, ([index, value]) => ({
      key: partKey(key, head, index),
      value,
      expires,
    }));
  }

  /** The keys of all parts. */
  #partKeys(head: PartsHead): string[] {
    return this.#layout!.indexes(head).map((index) => partKey(this.#field.place.key, head, index));
  }

  /** The parts; `undefined` when one of them is missing, as after an eviction. */
  async #parts(head: PartsHead, indexes: readonly number[]): Promise<Parts | undefined> {
    const { place } = this.#field;
    const keys = indexes.map((index) => partKey(place.key, head, index));
    const values = await place.base.turns.inside.getMany<Part>(keys as never);
    const parts = new Map<number, Part>();
    values.forEach((value, i) => {
      if (value !== null) parts.set(indexes[i]!, value as Part);
    });
    return parts.size < indexes.length && this.#layout!.isComplete ? undefined : parts;
  }

  async #whole(head: PartsHead): Promise<Part | null> {
    const parts = await this.#parts(head, this.#layout!.indexes(head));
    return parts === undefined ? null : this.#layout!.join(head, parts);
  }

  async #isStill(record: MaybeEntry): Promise<boolean> {
    return (await this.#field.entry())?.version === record?.version;
  }
}

const readState = (name: Name, state: unknown, args: readonly unknown[]): unknown =>
  (READS[name as keyof typeof READS] as Read)(state, ...args);
