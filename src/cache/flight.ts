import { LONGEST } from "../concurrency/timeout-option.ts";
import { KvError } from "../errors.ts";
import { fly } from "./fly.ts";
import { LoadEnd } from "./load-end.ts";
import type { Loaded } from "./loaded.ts";
import type { CacheSettings } from "./options.ts";
import type { CacheState, Decision, Flight, FlightStart, Load } from "./state.ts";

/** Begins to load a key. */
export function startFlight(
  state: CacheState,
  key: string,
  load: Load,
  start: FlightStart,
): Flight {
  const end = new LoadEnd();
  const forget = (): void => {
    if (state.flights.get(key) === flight) state.flights.delete(key);
  };
  const flight: { result: Promise<Loaded | null> } & Flight = {
    load,
    result: undefined as never,
    end,
    abort(reason) {
      forget();
      end.abort(reason);
    },
    waiters: 0,
    isBackground: !start.isPatient,
    isPatient: start.isPatient,
    isOutdated: false,
  };
  state.flights.set(key, flight);
  flight.result = fly(state, key, flight, start).finally(() => {
    forget();
    // A lookup that has read before the value was stored reads again.
    const lookup = state.lookups.get(key);
    if (lookup !== undefined) lookup.isOutdated = true;
    load.idle?.();
  });
  // Callers get the rejection. A load without callers has reported it.
  flight.result.catch(() => undefined);
  return flight;
}

/** Waits for a load. Rejects after so many milliseconds, or resolves to `null` without an error. */
export function follow(
  flight: Flight,
  ms: number,
  signal: AbortSignal | undefined,
  late: (() => KvError) | null,
): Promise<Loaded | null> {
  if (ms === Infinity && signal === undefined) {
    flight.waiters = Infinity;
    return flight.result;
  }
  return new Promise((resolve, reject) => {
    flight.waiters++;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
      flight.waiters--;
    };
    const leave = (): void => {
      end();
      reject(signal!.reason as Error);
      // No caller waits for the value any more.
      if (flight.waiters === 0 && !flight.isBackground) flight.abort(signal!.reason);
    };
    const timeOut = (): void => {
      flight.isBackground = true;
      end();
      if (late === null) resolve(null);
      else reject(late());
    };
    const timer = ms <= LONGEST ? setTimeout(timeOut, ms) : undefined;
    if (signal?.aborted) return leave();
    signal?.addEventListener("abort", leave);
    const settled =
      <A>(settle: (answer: A) => void) =>
      (answer: A): void => {
        if (isOver) return;
        end();
        settle(answer);
      };
    flight.result.then(settled(resolve), settled(reject));
  });
}

/** The error for a caller whose `hardTimeout` is over. */
export const lateLoad = (key: string, ms: number): KvError =>
  new KvError(
    "KV_TIMEOUT",
    `loading ${JSON.stringify(key)} takes longer than ${ms / 1000} s, the hardTimeout: it goes on`,
    { key },
  );

/**
 * Waits for a lookup, for so many milliseconds of the `hardTimeout`, and until its caller aborts.
 */
export function lookedUp(
  lookup: Promise<Decision>,
  key: string,
  left: number,
  { hardTimeout, signal }: CacheSettings,
): Promise<Decision> {
  if (hardTimeout === Infinity && signal === undefined) return lookup;
  return new Promise((resolve, reject) => {
    const late = (): void => reject(lateLoad(key, hardTimeout));
    const timer = left <= LONGEST ? setTimeout(late, left) : undefined;
    const leave = (): void => {
      reject(signal!.reason as Error);
      const endLoad = ({ flight }: Decision): void => {
        if (flight?.waiters === 0 && !flight.isBackground) flight.abort(signal!.reason);
      };
      // Callers that share the lookup begin to wait for its load first.
      lookup.then((decision) => setTimeout(endLoad, 0, decision)).catch(() => undefined);
    };
    signal?.addEventListener("abort", leave);
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    };
    lookup.then(resolve, reject).finally(end);
  });
}
