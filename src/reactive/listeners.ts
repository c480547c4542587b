/** Calls a function of the user. An error is reported globally and does not stop the caller. */
export function reportErrors(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Calls each listener, but for those that another one adds or removes meanwhile. */
export function each<T>(listeners: Set<T>, call: (listener: T) => void): void {
  for (const listener of [...listeners])
    if (listeners.has(listener)) reportErrors(() => call(listener));
}
