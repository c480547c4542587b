import type { Space } from "./space.ts";

/** A stream that looks at some keys. */
export class Watcher {
  readonly keys: readonly string[];
  /** The versions that its client knows. */
  versions: readonly (string | null)[] = [];
  isOver = false;
  #isTold = true;
  #wake: ((error?: unknown) => void) | null = null;
  readonly #start: () => void;

  /** `start` is called when the watcher begins to wait. */
  constructor(keys: readonly string[], start: () => void) {
    this.keys = keys;
    this.#start = start;
  }

  get isWaiting(): boolean {
    return this.#wake !== null;
  }

  /**
   * Resolves when the keys have to be read, or the watcher is over. @throws what `fail` is given.
   */
  changed(): Promise<void> {
    if (this.#isTold || this.isOver) {
      this.#isTold = false;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#wake = (error) => {
        this.#wake = null;
        this.#isTold = false;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#start();
    });
  }

  /** Has the keys read again. */
  tell(): void {
    this.#isTold = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#wake?.(error);
  }
}

// In Workers what one request waits for must not depend on another, which may end.
const isWorkers = (): boolean => globalThis.navigator?.userAgent === "Cloudflare-Workers";

/**
 * The event streams of a space. However many there are, the versions of their keys are read once in
 * an interval.
 */
export class Watchers {
  readonly space: Space;
  readonly #milliseconds: number;
  readonly #closing: AbortSignal | undefined;
  readonly #all = new Set<Watcher>();
  #isLooking = false;
  #stopListening: (() => void) | null = null;

  constructor(space: Space, milliseconds: number, closing: AbortSignal | undefined) {
    this.space = space;
    this.#milliseconds = milliseconds;
    this.#closing = closing;
  }

  /** A watcher of some keys, until `remove` is called or the server is closed. */
  add(keys: readonly string[]): { readonly watcher: Watcher; readonly remove: () => void } {
    if (isWorkers() && this.#all.size > 0)
      return new Watchers(this.space, this.#milliseconds, this.#closing).add(keys);
    const watcher = new Watcher(keys, () => void this.#look());
    watcher.isOver = this.#closing?.aborted === true;
    if (watcher.isOver) return { watcher, remove: () => undefined };
    if (this.#all.size === 0) this.#begin();
    this.#all.add(watcher);
    const remove = (): void => {
      if (!this.#all.delete(watcher)) return;
      watcher.isOver = true;
      watcher.tell();
      if (this.#all.size === 0) this.#end();
    };
    return { watcher, remove };
  }

  #begin(): void {
    this.#stopListening = this.space.listen((changed) => {
      for (const watcher of this.#all) if (watcher.keys.some(changed)) watcher.tell();
    });
    this.#closing?.addEventListener("abort", this.#closeAll);
  }

  #end(): void {
    this.#stopListening?.();
    this.#closing?.removeEventListener("abort", this.#closeAll);
  }

  readonly #closeAll = (): void => {
    for (const watcher of this.#all) {
      watcher.isOver = true;
      watcher.tell();
    }
    this.#all.clear();
    this.#end();
  };

  /** Compares the versions of all keys that somebody waits for, once in an interval. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (;;) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, this.#milliseconds);
        // Who only waits for changes does not keep a program alive.
        (timer as { unref?: () => void }).unref?.();
      });
      const waiting = [...this.#all].filter(({ isWaiting }) => isWaiting);
      if (waiting.length === 0) break;
      try {
        const versions = await this.#versionsOf(waiting);
        for (const watcher of waiting)
          if (watcher.keys.some((key, i) => versions.get(key) !== watcher.versions[i]))
            watcher.tell();
      } catch (error) {
        for (const watcher of waiting) watcher.fail(error);
      }
    }
    this.#isLooking = false;
  }

  async #versionsOf(watchers: readonly Watcher[]): Promise<Map<string, string | null>> {
    const keys = [...new Set(watchers.flatMap((watcher) => watcher.keys))];
    const entries = await this.space.getAll(keys, false);
    return new Map(keys.map((key, i) => [key, entries[i]?.version ?? null]));
  }
}
