import type { KvError } from "../errors.ts";
import type { Span } from "../store/tracer.ts";

/** What subscribers of a channel get. One object for all events of a call. */
export interface TraceMessage extends Span {
  /** The type of the client: `"REDIS"`; `"PENDING"` at the start where it is not known yet. */
  client: string;
  /** The name of the method. */
  readonly operation: string;
  /** The full keys, if they were asked for. */
  readonly keys?: readonly string[];
  /** How long the call took, in milliseconds. */
  duration?: number;
  /** Why it failed, without the error of the client, which may show values. */
  error?: KvError;
}
