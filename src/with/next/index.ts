export type { NextOptions } from "./options.ts";
export {
  type NextContext,
  nextCacheHandler,
  type NextKeyContext,
  type NextPage,
  type NextPageHandler,
} from "./pages.ts";
export { nextCacheHandlers, type NextEntry, type NextUseCacheHandler } from "./use-cache.ts";
