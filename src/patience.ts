import { KvError } from "./errors.ts";
import { milliseconds } from "./expires.ts";

/** Beyond this a timer fires at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * A `timeout` option in milliseconds; `Infinity` for none (`0` or `null`). Default 5 s.
 *
 * @throws {KvError} KV_INVALID_EXPIRES for anything that is no duration.
 */
export function timeoutOf(timeout: number | string | null | undefined): number {
  const ms = timeout === undefined ? 5000 : timeout === null ? 0 : milliseconds(timeout);
  if (!(ms >= 0)) throw new KvError("KV_INVALID_EXPIRES", 'timeout is a duration: seconds, a text like "2s", or 0 for none');
  return ms > 0 && ms <= LONGEST ? Math.ceil(ms) : Infinity;
}

/** What the work answers, if it does so within so many milliseconds. */
export function within<T>(work: Promise<T>, ms: number): Promise<T> {
  if (ms === Infinity) return work;
  return new Promise((resolve, reject) => {
    const late = (): void => {
      const error = new Error(`no answer within ${ms} ms, the "timeout" of kv(): a write may still be carried out`);
      error.name = "TimeoutError";
      reject(error);
    };
    // When this program itself was busy, the answer may be there already: it is heard before the second timer.
    let timer = setTimeout(() => (timer = setTimeout(late, 1)), ms);
    const settle =
      <A>(as: (answer: A) => void) =>
      (answer: A): void => {
        clearTimeout(timer);
        as(answer);
      };
    work.then(settle(resolve), settle(reject));
  });
}
