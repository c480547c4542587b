import { nextCacheHandler } from "anykv/with/next";
import { store } from "./store.mjs";

export default nextCacheHandler(store, { prefix: "next:" });
