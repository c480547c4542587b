/** Where rows are kept. Its operations take effect in the order of their calls, and reject with a KvError. */
export interface Backend {
  load(): Promise<Iterable<readonly [key: string, value: unknown]>>;
  /** All of them or none; `undefined` deletes. */
  write(changes: readonly (readonly [key: string, value: unknown])[]): Promise<void>;
  close(): Promise<void>;
}

/** The rows in memory, as those who bring news see them. */
export interface Memory {
  /** The keys whose values matter. */
  used(): string[];
  /** What is known to be stored. */
  known(key: string): unknown;
  /** A row is stored, or removed, by somebody else. */
  heard(key: string, value: unknown): void;
  /** Writes what waits, if the rows are loaded. */
  send(): void;
}

/** Connects rows in memory with where they are kept. */
export type Connect = (memory: Memory) => Promise<Backend>;
