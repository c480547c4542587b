/**
 * Lets the process end while a timer, channel or socket is open. Browsers and edge workers have
 * nothing to do for that.
 */
export function unref(handle: unknown): void {
  (handle as { unref?(): void } | undefined)?.unref?.();
}
