/** A callback of Node: an error, or `null` and a result. */
export type NodeCallback<T = void> = (error: unknown, result?: T) => void;

/**
 * Hands the outcome of a promise to a callback. The callback runs outside of the promise, so that
 * an error that it throws is not taken for a failure of the store.
 */
export function callWith<T>(promise: Promise<T>, callback: NodeCallback<T> | undefined): void {
  const call = (...args: [error: unknown, result?: T]): void =>
    queueMicrotask(() => callback?.(...args));
  promise.then((result) => call(null, result), call);
}
