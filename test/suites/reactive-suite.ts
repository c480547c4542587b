import { afterEach, describe } from "vitest";
import type { KVFn, KVStoreOptions } from "../../src/reactive/index.ts";
import { keeping } from "./reactive/keeping.ts";
import { lower } from "./reactive/lower.ts";
import { refusing } from "./reactive/refusing.ts";
import { removing } from "./reactive/removing.ts";
import { watching } from "./reactive/watching.ts";

/** Makes a function for a store, with what the subject needs filled in. */
export type Create = (name: string, options?: KVStoreOptions<never>) => KVFn;

/** A place for rows. */
export interface ReactiveSubject {
  readonly name: string;
  /** A program of its own over the place: nothing in memory is shared with the others. */
  program(): Promise<Create>;
  /** What is stored under a name, read through an independent connection. */
  rows(name: string): Promise<Map<string, unknown>>;
  /** Puts rows behind everybody's back, before anybody has opened it. */
  fill(name: string, rows: { readonly [key: string]: unknown }): Promise<void>;
  /** Begins to count the writing transactions; the function says how many there were. */
  transactions(): () => number;
  /** Empties the place. */
  empty(): Promise<void>;
}

/** Everything that states promise, whatever they are kept in. */
export function reactiveSuite(subject: ReactiveSubject): void {
  describe(`states in ${subject.name}`, () => {
    const open: KVFn[] = [];
    const tracked: ReactiveSubject = {
      ...subject,
      program: async () => {
        const create = await subject.program();
        return (name, options) => {
          const made = create(name, options);
          open.push(made);
          return made;
        };
      },
    };
    afterEach(async () => {
      for (const kv of open.splice(0)) await kv.store().close();
      await subject.empty();
    });
    keeping(tracked);
    refusing(tracked);
    removing(tracked);
    watching(tracked);
    lower(tracked);
  });
}
