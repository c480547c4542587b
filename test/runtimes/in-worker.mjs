// workerd: what a worker has beside memory.
import kv from "anykv";
import { smoke } from "./smoke.mjs";

export default {
  async fetch(request, env) {
    const subjects = {
      "Workers KV": {
        open: async () => {
          const store = kv(env.KV);
          await store.clear();
          return store;
        },
      },
    };
    return Response.json(await smoke(subjects));
  },
};
