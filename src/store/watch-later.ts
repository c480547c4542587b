import type { StoreWatch, StoreWatchOptions, WatchTarget } from "../api.ts";
import { load } from "../platform/load.ts";
import type { StoreContext } from "./context.ts";

/** The watch that a caller gets at once, while its code is loaded and the client is opened. */
export function watchLater<V>(
  context: StoreContext,
  target: WatchTarget,
  options: StoreWatchOptions | undefined,
): StoreWatch<V> {
  const asked = Array.isArray(target) ? [...target] : target;
  const opening = load().then((code) => code.watchStore(context, asked, options));
  const ready = opening.then((opened) => opened.ready);
  // The iteration rejects with the same error.
  ready.catch(() => {});
  const call = (name: "next" | "close") => (): Promise<never> =>
    opening.then((opened) => opened[name]() as never);
  return {
    ready,
    next: call("next"),
    return: call("close"),
    close: call("close"),
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: call("close"),
  };
}
