import type { Store } from "../api.ts";
import { checkOptions } from "../platform/options.ts";
import type { Pairs } from "../store/lazy-calls.ts";
import { requireStore } from "../store/require-store.ts";
import { contextOf, createStore } from "../store/store.ts";
import { type TracedContext, type Tracer, tracing } from "../store/tracer.ts";
import { type Channel, Channels, diagnostics, hasSubscribers } from "./channels.ts";
import { TRACED, TRACED_NAMES, type TracedName } from "./methods.ts";

/** Options of {@link trace} and {@link traceAll}. */
export interface TraceOptions {
  /** Whether messages name the keys. Default `false`. */
  readonly keys?: boolean | undefined;
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** A method that is reported. */
function reported(tracer: Tracer, context: TracedContext, name: TracedName, plain: Method): Method {
  const { keys, outcome } = TRACED[name];
  return (...args) =>
    tracer.run(
      name,
      context,
      () => fullKeys(context, keys?.(...args) ?? []),
      async (span) => {
        const result = await plain(...args);
        Object.assign(span, outcome?.(result as never) ?? { outcome: "ok" });
        return result;
      },
    );
}

/** Replaces the methods of a store, which has just been made. */
function traceMethods(
  tracer: Tracer,
  channels: Channels,
  given: object,
  context: TracedContext,
): void {
  const store = given as { [name: string]: unknown };
  for (const name of TRACED_NAMES) {
    const plain = store[name] as Method;
    const channel = channels.of(name);
    const traced = reported(tracer, context, name, plain);
    const use = choices[name as keyof typeof choices] ?? choice;
    store[name] = use(plain, traced, channel);
  }
  const plain = store["iterate"] as (...args: unknown[]) => Pairs;
  const channel = channels.of("iterate");
  const iterate = (...args: unknown[]): Pairs =>
    hasSubscribers(channel) ? iteration(tracer, context, plain(...args)) : plain(...args);
  store["iterate"] = iterate;
  Object.assign(store, { [Symbol.asyncIterator]: iterate });
}

type Choice = (plain: Method, traced: Method, channel: Channel) => Method;

const choice: Choice =
  (plain, traced, channel) =>
  (...args) =>
    hasSubscribers(channel) ? traced(...args) : plain(...args);

// In memory, a shared function that spreads its arguments would cost a good part of the call.
const choices: { readonly get: Choice; readonly set: Choice } = {
  get: (plain, traced, channel) => (key) => (hasSubscribers(channel) ? traced(key) : plain(key)),
  set: (plain, traced, channel) => (key, value, options) =>
    hasSubscribers(channel) ? traced(key, value, options) : plain(key, value, options),
};

const fullKeys = ({ prefix }: TracedContext, keys: readonly unknown[]): string[] =>
  keys.filter((key) => typeof key === "string").map((key) => prefix + key);

/** The pairs of a store. The call is over when no more of them are read. */
async function* iteration(tracer: Tracer, context: TracedContext, pairs: Pairs): Pairs {
  let count = 0;
  let finish!: (error?: unknown) => void;
  const over = new Promise<void>((resolve, reject) => {
    finish = (error) => (error === undefined ? resolve() : reject(error as Error));
  });
  const reported = tracer.run(
    "iterate",
    context,
    () => [],
    async (span) => {
      await over;
      span.outcome = "ok";
      span.count = count;
    },
  );
  // The consumer gets the error of the iteration.
  reported.catch(() => {});
  try {
    for await (const pair of pairs) {
      count++;
      yield pair;
    }
  } catch (error) {
    finish(error);
    throw error;
  } finally {
    finish();
  }
}

/** `undefined` where the runtime has no channels. */
function tracerOf(options: TraceOptions | undefined, where: string): Tracer | undefined {
  checkOptions(options, ["keys"], where);
  const module = diagnostics();
  if (module?.tracingChannel === undefined) return undefined;
  const channels = new Channels(module, options?.keys === true);
  const tracer: Tracer = {
    store: (store, context) => traceMethods(tracer, channels, store, context),
    run(operation, context, keys, work) {
      const channel = channels.of(operation);
      return hasSubscribers(channel)
        ? channels.report(channel, operation, context, keys, work)
        : work({});
    },
  };
  return tracer;
}

/**
 * A store whose calls are reported on the channels `anykv:get`, `anykv:set` and so on of
 * `node:diagnostics_channel`. Stores and APIs that are made of it are reported too. Messages have
 * the client, the operation, the outcome and the duration, never a value. Where the runtime has no
 * channels, as in a browser, the store is the same.
 *
 * @throws {KvError} at once: KV_INVALID_CLIENT for anything but a store; KV_INVALID_VALUE for
 * unknown options.
 * @example
 * import diagnostics from "node:diagnostics_channel";
 * import kv from "anykv";
 * import { trace } from "anykv/tracing";
 *
 * diagnostics.subscribe("tracing:anykv:get:asyncEnd", ({ client, outcome }) => {
 *   console.log(client, outcome); // MEMORY miss
 * });
 * const store = trace(kv(new Map()));
 * await store.get("a");
 */
export function trace<V>(store: Store<V>, options?: TraceOptions): Store<V> {
  requireStore(store, "trace()");
  const tracer = tracerOf(options, "trace()");
  return createStore<V>({ ...contextOf(store)!, tracer }, {});
}

/**
 * Traces all stores that are made from now on over a client, as {@link trace} does. Call it before
 * the program makes its stores, such as in a file for `node --import`.
 *
 * @throws {KvError} KV_INVALID_VALUE for unknown options.
 * @example
 * import { traceAll } from "anykv/tracing";
 *
 * traceAll();
 */
export function traceAll(options?: TraceOptions): void {
  tracing.tracer = tracerOf(options, "traceAll()");
}
