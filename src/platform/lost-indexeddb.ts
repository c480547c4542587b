// The hidden frame whose database factory replaces that of the page.
let frame: HTMLIFrameElement | undefined;

/**
 * Whether WebKit has lost the process that keeps its databases. Before the fix of
 * https://bugs.webkit.org/show_bug.cgi?id=309386 the `indexedDB` object of a page never connects to
 * the next process.
 */
export const isServerLost = (error: unknown): boolean =>
  /Database server lost/.test(String((error as Partial<Error> | null)?.message));

/**
 * A factory that is connected, for one that is not: that of a new, hidden frame in the page. The
 * same one where there is no page, as in a worker.
 */
export function replaceFactory(lost: IDBFactory): IDBFactory {
  if (typeof document === "undefined") return lost;
  const current = frame?.contentWindow?.indexedDB;
  // Another connection has replaced it already.
  if (current !== undefined && current !== lost) return current;
  frame?.remove();
  frame = document.createElement("iframe");
  frame.hidden = true;
  document.documentElement.append(frame);
  return frame.contentWindow?.indexedDB ?? lost;
}

/** A stored value as an object of this page. Values read through a frame belong to the frame. */
export function ownValue<T>(value: T): T {
  return frame === undefined ? value : structuredClone(value);
}
