// `npm run example -- next`: what `use cache` and ISR keep is in the file of STORE_FILE.
import { fileURLToPath } from "node:url";

const handler = (name) => fileURLToPath(new URL(name, import.meta.url));

export default {
  // The package of this repository is outside of the folder.
  turbopack: { root: handler("../../..") },
  partialPrefetching: true,
  cacheComponents: true,
  cacheHandlers: { default: handler("use-cache.mjs") },
  cacheHandler: handler("pages.mjs"),
  cacheMaxMemorySize: 0,
};
