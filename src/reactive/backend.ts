/**
 * A row and its new value; `undefined` deletes. One that is a beginning gives way to a row that is
 * there.
 */
export type RowChange = readonly [key: string, value: unknown, isBeginning?: boolean];

/**
 * Where rows are kept. Its operations take effect in the order of their calls, and reject with a
 * KvError.
 */
export interface Backend {
  load(): Promise<Iterable<RowChange>>;
  /**
   * Writes all at once. When that is refused, each by itself that is still the last change of its
   * row. Says of each, by its index, how it ended; rejects when one was refused.
   */
  write(
    changes: readonly RowChange[],
    isLast: (index: number) => boolean,
    settle: (index: number, error?: Error) => void,
  ): Promise<void>;
  /** Reads a row again whose changes are not published. Never rejects. */
  look(key: string): Promise<void> | undefined;
  close(): Promise<void>;
}

/** The rows in memory, as those who bring news see them. */
export interface Memory {
  /** The keys whose values matter. */
  used(): string[];
  /** The values that are known to be stored. */
  known(key: string): unknown;
  /** Another tab or process has stored or removed a row. */
  heard(key: string, value: unknown): void;
  /** Writes pending changes, if the rows are loaded. */
  send(): void;
}

/** Connects rows in memory with where they are kept. */
export type Connect = (memory: Memory) => Promise<Backend>;
