// Node, Bun and Deno: what they have beside memory. Prints one line of JSON.
import { rmSync } from "node:fs";
import process from "node:process";
import kv from "anykv";
import { http } from "anykv/clients/http";
import { serve } from "anykv/http";
import { installKV } from "anykv/lua";
import { createKV } from "anykv/namespace";
import { createClient } from "redis";
import { LuaFactory } from "wasmoon";
import { smoke } from "./smoke.mjs";

let count = 0;
const data = new URL(process.env.DATA_URL);
const fresh = (ending) => new URL(`${++count}${ending}`, data);
const Database = process.versions.bun
  ? await import("bun:sqlite").then(({ Database }) => Database)
  : await import("node:sqlite").then(({ DatabaseSync }) => DatabaseSync);
const removed = {
  cleanup: () => rmSync(data, { recursive: true, force: true }),
};

const subjects = {
  "a JSON file": { open: () => kv(fresh(".json")), ...removed },
  "a folder": { open: () => kv(fresh("/")), ...removed },
  "built-in SQLite": { open: () => kv(new Database(":memory:")) },
  Redis: {
    // It drops records by its own clock.
    clock: "real",
    open: async () => {
      const client = createClient({ url: process.env.REDIS_URL });
      const store = kv(client);
      await store.clear();
      return store;
    },
  },
};
if (globalThis.localStorage !== undefined) {
  subjects["Web Storage"] = {
    open: () => {
      localStorage.clear();
      return kv(localStorage);
    },
  };
}

const more = {
  async lua() {
    const lua = await new LuaFactory().createEngine();
    installKV(lua, createKV({ store: kv(new Map()) }));
    const answer = await lua.doString(
      'local kv = KV.namespace("cache"); kv:put("config", { theme = "dark" }); return ' +
        'kv:get("config", "json").theme',
    );
    if (answer !== "dark") throw new Error(`Lua answers ${answer}`);
  },
  async serve() {
    const token = crypto.randomUUID();
    const server = await serve(kv(new Map()), { tokens: [{ token, space: "my-app" }] });
    const store = kv(http(server.url, { token }));
    await store.set("key1", "Hello world");
    const answer = await store.get("key1");
    await server.close();
    if (answer !== "Hello world") throw new Error(`the server answers ${answer}`);
  },
};
console.log(JSON.stringify(await smoke(subjects, { storage: "SQLITE", more })));
