/** The one listener that this library has on a client. */
export interface Listener {
  /** Called with each error that the client tells of by an event. */
  hear(error: unknown): void;
}

const listeners = new WeakMap<object, Listener>();

/**
 * Listens to the errors of a client that tells of them by events: without a listener such an event
 * ends the process. However often it is called, and by however many stores, a client gets one
 * listener; it does nothing by default.
 */
export function listenTo(client: unknown): Listener {
  // Proxies such as `client.withTypeMapping()` of node-redis are the same client.
  const emitter = ((client as { _self?: object })._self ?? client) as {
    on?(event: "error", hear: (error: unknown) => void): unknown;
  };
  const known = listeners.get(emitter);
  if (known !== undefined) return known;
  const listener: Listener = { hear: () => {} };
  listeners.set(emitter, listener);
  emitter.on?.("error", (error) => listener.hear(error));
  return listener;
}
