/** Where rows are kept. Its operations take effect in the order of their calls, and reject with a KvError. */
export interface Backend {
  /** The name under which those who have the same rows tell each other of changes. */
  readonly channel: string;
  /** How often changes that nobody tells of are looked for, in milliseconds; 0 for never. */
  readonly interval: number;
  load(): Promise<Iterable<readonly [key: string, value: unknown]>>;
  /** In the order of the keys, with `undefined` for what is not there. */
  read(keys: readonly string[]): Promise<unknown[]>;
  /** All of them or none; `undefined` deletes. Calls `sent` once they are on their way, whatever happens to this page. */
  write(changes: readonly (readonly [key: string, value: unknown])[], sent: () => void): Promise<void>;
  close(): Promise<void>;
}
