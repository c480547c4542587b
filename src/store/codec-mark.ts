import { KvError } from "../errors.ts";
import type { Json } from "../types.ts";
import { hasMethods } from "../platform/shape.ts";

/** @throws {KvError} KV_INVALID_VALUE unless a codec, where there is one, has both functions. */
export function checkCodec(codec: unknown): void {
  if (codec === undefined || hasMethods(codec, "encode", "decode")) return;
  throw new KvError("KV_INVALID_VALUE", "codec needs the functions encode(value) and decode(json)");
}

/** JSON with the name of the codec that made it; `""` for JSON that only looks so. */
export interface Marked {
  readonly $codec: string;
  readonly value: Json;
}

export function isMarked(json: unknown): json is Marked {
  if (typeof json !== "object" || json === null) return false;
  // Nearly every object ends at the first condition.
  return (
    typeof (json as Marked).$codec === "string" &&
    Object.keys(json).sort().join() === "$codec,value"
  );
}
