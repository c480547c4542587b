/**
 * The keys that an operation reads and writes. `readUnder` and `writeUnder` name every key that
 * starts with a prefix, as listings and `clear()` do.
 */
export interface Scope {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly readUnder?: string;
  readonly writeUnder?: string;
}

/** The calls that a client applies in call order by itself. `"counts"`: additions to a number. */
export type InOrder = "all" | "writes" | "counts" | null;

/** How long a line of operations may take of which each waits for the one before it. */
export interface Line {
  /** When the operation is over at the latest, in milliseconds of `performance.now()`. */
  readonly until: number;
  /** When the line of operations began that ends with this one, in the same milliseconds. */
  readonly since: number;
  /** How many requests that line may take, each as long as its caller's timeout. */
  readonly requests: number;
}

/** One operation that is not over yet. */
export class Turn implements Line {
  readonly scope: Scope;
  readonly until: number;
  readonly since: number;
  readonly requests: number;
  /** What the client, which has it, itself applies behind it. */
  readonly inOrder: "writes" | "counts" | null;
  isOver: boolean = false;
  /** The error of an operation that got no answer in time. */
  timeout: unknown = undefined;
  #over: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  /** The keys of a long list of reads, once a write has asked for them. */
  #keys: ReadonlySet<string> | undefined;

  constructor(
    scope: Scope,
    until: number,
    since: number,
    requests: number,
    inOrder: Turn["inOrder"],
  ) {
    this.scope = scope;
    this.until = until;
    this.since = since;
    this.requests = requests;
    this.inOrder = inOrder;
  }

  /** Resolves with the end of the operation. Few are waited for. */
  get over(): Promise<void> {
    return (this.#over ??= this.isOver
      ? Promise.resolve()
      : new Promise((resolve) => (this.#resolve = resolve)));
  }

  end(): void {
    this.isOver = true;
    this.#resolve?.();
  }

  /** Whether it reads many keys, and one of those that a later operation writes. */
  readsOneOf(write: Scope["write"], writeUnder: string | undefined): boolean {
    if (!isMany(this.scope) || (write === undefined && writeUnder === undefined)) return false;
    const { read } = this.scope;
    return (
      write?.some((key) => (this.#keys ??= new Set(read)).has(key)) ||
      (writeUnder !== undefined && read!.some((key) => key.startsWith(writeUnder)))
    );
  }
}

/** Reads of more keys than this stand in no lane: a write looks them up in their list. */
const FEW = 8;

/** Whether an operation reads so many keys that they stand in no lanes. */
export const isMany = ({ read }: Scope): boolean => read !== undefined && read.length > FEW;
