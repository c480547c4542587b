import { inspect, type Inspected, isolate } from "./isolate.ts";

/** A value for all callers that have waited for it: the first gets itself, the others copies. */
export class Loaded {
  readonly #value: unknown;
  #isTaken = false;
  #kind: Inspected["kind"] | undefined;

  constructor(value: unknown) {
    this.#value = value;
  }

  take(): unknown {
    if (this.#isTaken) {
      this.#kind ??= inspect(this.#value, Infinity).kind;
      return isolate(this.#value, this.#kind);
    }
    this.#isTaken = true;
    return this.#value;
  }
}
