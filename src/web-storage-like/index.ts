export {
  createWebStorageLike,
  type WebStorageLike,
  type WebStorageLikeOptions,
} from "./web-storage-like.ts";
