export type { AsyncUsingDisposable } from "../types.ts";
export { createKV, KV } from "./default.ts";
export { namespace } from "./namespace.ts";
export type * from "./types.ts";
