import type { GraphSerializer } from "./checkpoints.ts";

/** A checkpoint of LangGraph. */
export interface Checkpoint {
  readonly v: number;
  readonly id: string;
  readonly channel_values: { readonly [channel: string]: unknown };
  readonly channel_versions: { readonly [channel: string]: number | string };
}

/** The base class of checkpointers, as far as it is used. */
export interface Saver {
  readonly serde: GraphSerializer;
  getNextVersion(current: undefined): number | string;
}
