import type { Operations, StoreContext } from "./context.ts";
import { lazy, load } from "../platform/load.ts";
import { whenReady } from "./perform.ts";
import { snapshot } from "../record/json.ts";

type OperationName = Exclude<keyof Operations, "iterate">;

/** The result of `iterate()`: the pairs of a store. */
export type Pairs = AsyncGenerator<[key: string, value: never], void, undefined>;

/** Calls of the operations of one store. The first call loads their code. */
export class LazyCalls {
  readonly #context: StoreContext;
  #operations: Operations | undefined;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  #loaded(): Operations {
    return (this.#operations ??= lazy.code!.operations(this.#context));
  }

  #call(name: OperationName, args: readonly unknown[]): Promise<never> {
    const operation = this.#loaded()[name] as (...args: readonly unknown[]) => Promise<never>;
    return operation(...args);
  }

  /** Calls an operation. Until the code is loaded the arguments are copied. */
  use(name: OperationName, ...args: readonly unknown[]): Promise<never> {
    const { connection } = this.#context;
    if (connection.closing !== null) return connection.open() as Promise<never>;
    if (lazy.code !== undefined) return this.#call(name, args);
    const copy = args.map((arg) => snapshot(arg));
    return connection.count(whenReady(this.#context, () => this.#call(name, copy)));
  }

  /** The operation as a method of the store. */
  later(name: OperationName): (...args: readonly unknown[]) => Promise<never> {
    return (...args) => this.use(name, ...args);
  }

  // A generator around the loaded one would cost more for each pair than the pair.
  iterate(...args: unknown[]): Pairs {
    return lazy.code === undefined ? this.#firstIteration(args) : this.#loaded().iterate(...args);
  }

  async *#firstIteration(args: unknown[]): Pairs {
    await load();
    yield* this.#loaded().iterate(...args);
  }
}
