import { nextCacheHandlers } from "anykv/with/next";
import { store } from "./store.mjs";

export default nextCacheHandlers(store, { prefix: "next:" });
