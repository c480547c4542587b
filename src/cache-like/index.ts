export {
  type CacheLike,
  type CacheLikeOptions,
  type CacheLikeEntry,
  createCacheLike,
  type LifetimeUnit,
} from "./cache-like.ts";
