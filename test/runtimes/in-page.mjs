// The clients that a page has beside memory.
import kv from "anykv";
import { smoke } from "./smoke.mjs";

let count = 0;

globalThis.result = smoke({
  "Web Storage": {
    open: () => {
      localStorage.clear();
      return kv(localStorage);
    },
  },
  cookies: {
    open: async () => {
      const store = kv("cookie");
      await store.clear();
      return store;
    },
  },
  IndexedDB: { open: () => kv(`indexeddb://smoke/${++count}`) },
});
