import { LONGEST } from "./timeout-option.ts";

/** The cause of a KV_CONNECTION for a client that did not answer in time. */
export class LateError extends Error {
  override readonly name = "TimeoutError";

  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s, the "timeout" of kv()`);
  }
}

/**
 * Work that began in the same turn, and waits by the same timer: a thousand writes at once do not
 * make a thousand timers.
 */
interface Wait {
  readonly ms: number;
  readonly rejects: ((error: unknown) => void)[];
  left: number;
  timer: ReturnType<typeof setTimeout>;
}

// Of this turn alone: a worker ends its timers with the request that they began in.
let current: Wait | null = null;

function begin(ms: number): Wait {
  const late = (): void => {
    const error = new LateError(ms);
    // Those who have their answer do not hear it.
    for (const fail of wait.rejects) fail(error);
  };
  // When this program itself was busy, the answer may be there already: it is heard before the
  // second timer.
  const wait: Wait = {
    ms,
    rejects: [],
    left: 0,
    timer: setTimeout(() => (wait.timer = setTimeout(late, 1)), ms),
  };
  queueMicrotask(() => (current = null));
  return (current = wait);
}

// Of this turn alone, too.
let asking: ((ms: number) => void)[] = [];

/**
 * Tells work that has just begun how long its caller waits for it. The `within` that the caller
 * calls on its promise, in the same turn, says so. Without such a call it is not told.
 */
export function askPatience(tell: (ms: number) => void): void {
  if (asking.length === 0) queueMicrotask(() => (asking = []));
  asking.push(tell);
}

/** Who counts the work that is under way. */
export interface Busy {
  running: number;
  /** Called when nothing is under way any more. */
  idle?: (() => void) | undefined;
  /** How many requests in a row were not answered in time, since the last answer to any request. */
  unanswered?: number;
  /** `replace` is called when several requests in a row were not answered in time. */
  readonly adapter?: { replace?: (() => void) | undefined } | null;
}

/** After so many requests in a row without any answer a connection is taken to be dead. */
const SEVERAL = 2;

function miss(busy: Busy): void {
  busy.unanswered = (busy.unanswered ?? 0) + 1;
  if (busy.unanswered < SEVERAL) return;
  busy.unanswered = 0;
  busy.adapter?.replace?.();
}

/**
 * The result of the work, if it comes within so many milliseconds. Until then it counts as under
 * way.
 */
export function within<T>(work: Promise<T>, ms: number, busy: Busy = { running: 0 }): Promise<T> {
  if (asking.length > 0) for (const tell of asking.splice(0)) tell(ms);
  const wait = ms >= LONGEST ? null : current?.ms === ms ? current : begin(ms);
  if (wait !== null) wait.left++;
  busy.running++;
  return new Promise((resolve, reject) => {
    let isOver = false;
    const settle =
      <A>(as: (answer: A) => void) =>
      (answer: A): void => {
        if (isOver) return;
        isOver = true;
        if (wait !== null && --wait.left === 0) clearTimeout(wait.timer);
        if (--busy.running === 0) busy.idle?.();
        as(answer);
      };
    const fail = settle(reject);
    wait?.rejects.push((error) => {
      if (isOver) return;
      fail(error);
      miss(busy);
    });
    const answered =
      <A>(end: (answer: A) => void) =>
      (answer: A): void => {
        // A late answer is a sign of life, too.
        busy.unanswered = 0;
        end(answer);
      };
    work.then(answered(settle(resolve)), answered(fail));
  });
}
