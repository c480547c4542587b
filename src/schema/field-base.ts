import { KvError } from "../errors.ts";
import { type Reading, stateStream } from "../store/watch/state-stream.ts";
import type { Cell } from "./cell.ts";
import type { Field, FieldWatchOptions } from "./fields.ts";
import type { Steps } from "./steps.ts";
import { hasMethods } from "../platform/shape.ts";

/** The methods that all fields have. */
export function fieldOf(cell: Cell, isThere: (steps: Steps) => Promise<boolean>): Field {
  return {
    key: cell.key,
    exists: () => cell.inTurn("read", isThere),
    erase: () => cell.erase(),
    touch: (expires) => cell.touch(expires, isThere),
  };
}

/**
 * A stream of the results of `read`. States are told apart by `stateOf`, a value that JSON keeps
 * whatever it is.
 */
export function watchCell<T>(
  cell: Cell,
  read: () => Promise<T>,
  options: FieldWatchOptions = {},
  stateOf: (value: T) => unknown = (value) => value,
): ReadableStream<T> {
  cell.checkOptions(options, ["interval", "signal"], "watch()");
  const { interval = 1, signal } = options;
  if (signal !== undefined && !hasMethods(signal, "addEventListener"))
    throw new KvError("KV_INVALID_VALUE", '"signal" is the signal of an AbortController', {
      client: cell.client,
      key: cell.full,
    });
  const reading = async (): Promise<Reading<T>> => {
    const value = await read();
    // Absent is told from null.
    return {
      value,
      state: JSON.stringify([stateOf(value)].filter((state) => state !== undefined)),
    };
  };
  // Over before it has begun.
  if (signal?.aborted) return new ReadableStream({ start: (controller) => controller.close() });
  return stateStream(cell.base.context, [cell.full], reading, {
    interval,
    raw: false,
    // Redis keeps collections in its own types.
    foreign: true,
    closed: signal,
  });
}
