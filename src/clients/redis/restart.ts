/** A connection that can be cut and made again. */
interface Restartable {
  readonly isReady?: boolean;
  connect(): Promise<unknown>;
}

/** How long an attempt to connect may take before it counts as hung, in milliseconds. */
const HUNG = 10_000;

/** When the attempts began that are under way, in milliseconds of `performance.now()`. */
const begun = new WeakMap<object, number>();

/**
 * Replaces a connection. Pending commands reject. A client that is connecting already is left
 * alone: one of node-redis that is cut meanwhile makes two connections, and reads the answers of
 * both as those of one.
 */
export async function restart<C extends Restartable>(
  client: C,
  cut: (client: C) => unknown,
): Promise<void> {
  const began = begun.get(client);
  const isHung = began !== undefined && performance.now() - began > HUNG;
  if (client.isReady === false && !isHung) return;
  const now = performance.now();
  begun.set(client, now);
  try {
    await cut(client);
    await client.connect();
  } finally {
    if (begun.get(client) === now) begun.delete(client);
  }
}
