export type { Cache } from "./cache.ts";
export { createCache } from "./create.ts";
export type { LoadContext, Loader } from "./loader.ts";
export type { ManyContext, ManyLoader } from "./many.ts";
export type { CacheOptions, ErrorPlace, KeepOptions, LoadOptions, Time } from "./options.ts";
export type { CacheStats } from "./stats.ts";
export type { L1Options, Tiers } from "./tiers.ts";
export type { WrapOptions } from "./wrap.ts";
