/** What is known of a call when it is over. Never a value. */
export interface Span {
  /** How it ended: `"hit"`, `"miss"`, `"ok"`, `"conflict"`, or the code of an error. */
  outcome?: string;
  /** How many keys or records there were. */
  count?: number;
  /** How many of several keys were there. */
  hits?: number;
}

/** What a tracer reads of the context of a store. */
export interface TracedContext {
  readonly connection: { readonly source: { readonly type: string } };
  readonly prefix: string;
}

/** Reports the calls of stores. */
export interface Tracer {
  /** Replaces the methods of a new store by traced ones. */
  store(store: object, context: TracedContext): void;
  /** Reports a call. `keys` are full keys. */
  run<T>(
    operation: string,
    context: TracedContext,
    keys: () => readonly string[],
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
}

/** The tracer of stores that are made from now on, unless they have their own. */
export const tracing: { tracer: Tracer | undefined } = { tracer: undefined };
