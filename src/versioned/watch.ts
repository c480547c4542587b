import type { Store } from "../api.ts";
import { KvError } from "../errors.ts";
import { contextOf } from "../store.ts";
import { UNVERSIONED } from "./entry.ts";
import type { MaybeEntry, WatchOptions } from "./types.ts";

type Listener = (changed: ReadonlySet<string>) => void;

// All versioned stores over one connection hear each other, whatever their prefixes.
const listeners = new WeakMap<object, Set<Listener>>();

const placeOf = (store: Store<unknown>): { readonly connection: object; readonly prefix: string } => contextOf(store) ?? { connection: store, prefix: "" };

/** Tells those who watch that these keys were written. */
export function tell(store: Store<unknown>, texts: readonly string[]): void {
  const { connection, prefix } = placeOf(store);
  const heard = listeners.get(connection);
  if (heard === undefined || heard.size === 0) return;
  const changed = new Set(texts.map((text) => prefix + text));
  for (const listener of [...heard]) listener(changed);
}

/** Has a listener told, until the function that is returned is called. */
function listen(store: Store<unknown>, listener: Listener): () => void {
  const { connection } = placeOf(store);
  const heard = listeners.get(connection) ?? new Set<Listener>();
  listeners.set(connection, heard.add(listener));
  return () => heard.delete(listener);
}

/** What is told apart: the versions of entries. */
function stateOf(entries: readonly MaybeEntry[]): string {
  if (entries.some(({ version }) => version === UNVERSIONED)) throw new KvError("KV_NOT_SUPPORTED", "this client keeps no versions, so that changes cannot be told: read it instead");
  return entries.map(({ version }) => String(version)).join();
}

/**
 * A stream of what is under some keys: now, and whenever one of them has changed. States that follow each other fast may be left out, the last one never is.
 * Reading is what drives it: nothing is asked for while nobody reads.
 *
 * @throws {KvError} at once KV_INVALID_VALUE for an interval that is none. The stream fails with KV_CLOSED when the store is closed already, and with what reading fails with.
 */
export function watch(store: Store<unknown>, texts: readonly string[], read: () => Promise<MaybeEntry[]>, closed: AbortSignal, { raw = false, interval = 1000 }: WatchOptions = {}): ReadableStream<MaybeEntry[]> {
  if (!(typeof interval === "number" && interval >= 1 && interval < 2 ** 31)) throw new KvError("KV_INVALID_VALUE", '"interval" is a number of milliseconds from 1');
  const { prefix } = placeOf(store);
  let last: string | null = null;
  let isTold = true;
  const over = new AbortController();
  let wake = (): void => {};
  let end = (): void => {};

  /** Until something was written here, or it is time to look again. */
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, interval);
      // Somebody who only waits for changes does not keep a program alive.
      (timer as { unref?: () => void }).unref?.();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  return new ReadableStream<MaybeEntry[]>(
    {
      start(controller) {
        if (closed.aborted) throw new KvError("KV_CLOSED", "this store was closed: make a new one");
        if (texts.length === 0) return controller.close();
        const close = (): void => {
          end();
          controller.close();
        };
        const stopListening = listen(store, (changed) => {
          if (!texts.some((text) => changed.has(prefix + text))) return;
          isTold = true;
          wake();
        });
        closed.addEventListener("abort", close);
        end = () => {
          over.abort();
          stopListening();
          closed.removeEventListener("abort", close);
          wake();
        };
      },
      async pull(controller) {
        while (!over.signal.aborted) {
          if (!isTold) await pause();
          if (over.signal.aborted) return;
          const isRewritten = isTold && raw;
          isTold = false;
          try {
            const entries = await read();
            const state = stateOf(entries);
            if (over.signal.aborted) return;
            if (state === last && !isRewritten) continue;
            last = state;
            return controller.enqueue(entries);
          } catch (error) {
            // Whoever was closed in the meantime cannot be read, and need not be.
            if (over.signal.aborted) return;
            end();
            throw error;
          }
        }
      },
      cancel: () => end(),
    },
    { highWaterMark: 0 },
  );
}
