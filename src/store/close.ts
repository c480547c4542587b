import type { Connection } from "./connection.ts";
import { toKvError } from "./failure.ts";
import { within } from "../concurrency/timeout.ts";
import type { Adapter } from "../clients/adapter.ts";

/** Ends a client after its pending calls. `opening` is its adapter, or a promise of it. */
export function end(
  connection: Connection,
  opening: Adapter | Promise<Adapter> | null,
  timeout: number,
): Promise<void> {
  return within(endInTime(connection, opening, timeout), timeout).catch((error) => {
    throw toKvError(error, connection.source.type, "close");
  });
}

async function endInTime(
  connection: Connection,
  opening: Adapter | Promise<Adapter> | null,
  timeout: number,
): Promise<void> {
  // A client that was never used need not be opened for that.
  if (opening === null && (await endUnopened(connection))) return;
  let adapter: Adapter;
  try {
    adapter = await (opening ?? (await connection.start()).open());
  } catch {
    // Its operations have said why it could not be opened.
    await endUnopened(connection);
    return;
  }
  if (connection.running > 0) await drained(connection, Math.min(timeout / 2, 5000));
  await adapter.close?.();
}

/** Resolves when nothing is under way, or after so many milliseconds. */
function drained(connection: Connection, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    connection.idle = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Ends a client without an adapter. Resolves to whether that could be done. */
async function endUnopened(connection: Connection): Promise<boolean> {
  try {
    return (await (await connection.start()).close?.()) ?? false;
  } catch {
    // There is no client, or it has ended.
    return true;
  }
}
