import type { Store } from "../api.ts";
import { isKvError } from "../errors.ts";
import { RAW } from "../store/coded.ts";
import type { StoreContext } from "../store/context.ts";
import { contextOf, createStore } from "../store/store.ts";
import { Turns } from "../store/turns.ts";
import type { MaybePromise } from "../types.ts";
import { decodeKept, type Kept } from "./kept.ts";
import { type Keys, type Layout, layoutOf, namespacePrefix } from "./layout.ts";

const isSettled = <T>(all: readonly MaybePromise<T>[]): all is readonly T[] =>
  !all.some((each) => each instanceof Promise);

/** A change of one record; `null` deletes. */
interface Change {
  readonly key: string;
  readonly value: unknown;
  readonly expires: Date | null;
}

/** The records of a namespace in its store. */
export class NamespaceRecords {
  readonly store: Store<unknown>;
  readonly turns: Turns;
  readonly #name: string;
  readonly #prefix: string;
  #layout: Layout | undefined;

  /** @throws {KvError} KV_INVALID_KEY for a wrong name. */
  constructor(context: StoreContext, name: string) {
    this.store = createStore<unknown>(context, { codec: RAW });
    this.turns = new Turns(contextOf(this.store)!);
    this.#name = name;
    this.#prefix = context.prefix;
    layoutOf(name, context.prefix, Infinity);
  }

  /** `null` for a promise of a client: it is not known yet how long its keys may be. */
  layout(): Layout | null {
    const { type, supports } = this.store;
    if (type !== "PENDING") this.#layout ??= layoutOf(this.#name, this.#prefix, supports.keyBytes);
    return this.#layout ?? null;
  }

  /** Runs an operation on these names in call order, with their keys. */
  inTurn<T>(
    access: "read" | "write",
    names: readonly string[],
    work: (keys: readonly Keys[]) => Promise<T>,
  ): Promise<T> {
    const keys: readonly MaybePromise<Keys>[] | undefined =
      this.layout() === null ? undefined : names.map(this.layout()!.keysOf);
    if (keys !== undefined && isSettled(keys)) {
      const claimed = keys.flatMap(({ index, value }) =>
        access === "read" ? [value] : [index, value],
      );
      return this.turns.run({ [access]: claimed }, () => work(keys));
    }
    // The keys are not known yet: the operation takes its turn on all keys of the namespace.
    return this.turns.run({ [`${access}Under`]: namespacePrefix(this.#name) }, async () =>
      work(await Promise.all(names.map(this.layout()!.keysOf))),
    );
  }

  /** The value of each name, in order. */
  readMany(names: readonly string[]): Promise<(Kept | null)[]> {
    return this.inTurn("read", names, async (keys) => {
      const values = await this.turns.inside.getMany(keys.map(({ value }) => value));
      return values.map((value, i) => (value === null ? null : decodeKept(value, keys[i]!.value)));
    });
  }

  read(name: string): Promise<Kept | null> {
    return this.inTurn("read", [name], async ([keys]) => {
      const value = await this.turns.inside.get(keys!.value);
      return value === null ? null : decodeKept(value, keys!.value);
    });
  }

  /** Makes changes inside a turn, in one commit if the client has commits. */
  async apply(changes: readonly Change[]): Promise<void> {
    const { inside } = this.turns;
    if (inside.supports.atomic !== "no") {
      try {
        await inside.commit([], changes);
        return;
      } catch (error) {
        // A cluster may keep the two records of a key on different nodes: a prefix with a hash tag
        // keeps them together.
        if (!isKvError(error, "KV_CROSS_SLOT")) throw error;
      }
    }
    for (const { key, value, expires } of changes) await inside.set(key, value, { expires });
  }

  /** Runs a listing of the names with this prefix in call order. */
  listInTurn<T>(inner: string, work: () => Promise<T>): Promise<T> {
    const readUnder = `${namespacePrefix(this.#name)}k/${this.layout()?.stem(inner) ?? ""}`;
    return this.turns.run({ readUnder }, work);
  }
}
