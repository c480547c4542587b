export type { AsyncUsingDisposable } from "../types.ts";
export { createHandler } from "./handler.ts";
export { FREE_TIER, type Limits } from "./limits.ts";
export type { HandlerOptions, LogLine } from "./options.ts";
export { type KvServer, serve, type ServeOptions } from "./serve.ts";
export { spaceOf } from "./space.ts";
export type { TokenOptions } from "./tokens.ts";
