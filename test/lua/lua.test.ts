import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type LuaEngine, LuaFactory } from "wasmoon";
import type { KvError } from "../../src/errors.ts";
import kv from "../../src/index.ts";
import { type InstalledKV, installKV } from "../../src/lua/index.ts";
import { createKV, type KVNamespaces } from "../../src/namespace/index.ts";

const folders: string[] = [];
const states: LuaEngine[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const lua of states.splice(0)) lua.global.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const PLACES: { readonly [name: string]: () => KVNamespaces } = {
  memory: () => createKV({ store: kv() }),
  SQLite() {
    const dataDir = mkdtempSync(path.join(tmpdir(), "anykv-lua-"));
    folders.push(dataDir);
    return createKV({ dataDir });
  },
};

interface Program extends InstalledKV {
  readonly all: KVNamespaces;
  readonly lua: LuaEngine;
  run(code: string): Promise<unknown>;
  /** The message of what it raises. */
  raised(code: string): Promise<string>;
}

async function program(all: KVNamespaces = PLACES.memory!()): Promise<Program> {
  const lua = await new LuaFactory().createEngine();
  states.push(lua);
  const { call } = installKV(lua, all);
  const run = (code: string): Promise<unknown> => lua.doString(code);
  const raised = (code: string): Promise<string> =>
    run(
      `local ok, message = pcall(function() ${code} end) assert(not ok) return message`,
    ) as Promise<string>;
  return { all, lua, call, run, raised };
}

describe.each(Object.entries(PLACES))("KV in Lua, in %s", (_, place) => {
  it("puts, gets and deletes as if nothing had to wait", async () => {
    const { run, all } = await program(place());
    expect(
      await run(`
        local kv = KV.namespace("basics")
        kv:put("user:1", "Ada")
        local name = kv:get("user:1")
        kv:delete("user:1")
        kv:delete("never there")
        return name .. tostring(kv:get("user:1"))`),
    ).toBe("Adanil");
    await all.close();
  });

  it("keeps namespaces apart", async () => {
    const { run, all } = await program(place());
    const found = await run(`
      local a, b = KV.namespace("a"), KV.namespace("b")
      a:put("key", "in a")
      b:put("key", "in b")
      assert(KV.namespace("a") == a)
      return a:get("key") .. b:get("key")`);
    expect(found).toBe("in ain b");
    await all.close();
  });

  it("keeps tables as JSON that TypeScript reads, and the other way round", async () => {
    const { run, all } = await program(place());
    const shared = all.namespace("shared");
    await run(
      `KV.namespace("shared"):put("lua", { list = { 1, 2.5, "x" }, map = { a = { b = ` +
        `true } }, empty = {}, none = json.array() }, { metadata = { by = "lua" } })`,
    );
    expect(await shared.getWithMetadata("lua", "json")).toMatchObject({
      value: { list: [1, 2.5, "x"], map: { a: { b: true } }, empty: {}, none: [] },
      metadata: { by: "lua" },
    });
    await shared.put("ts", JSON.stringify({ tags: [], deep: [{ n: 1 }, null, "ä😀\0"] }), {
      metadata: ["m", 0],
    });
    expect(
      JSON.parse(
        (await run(`
        local shared = KV.namespace("shared")
        local value, meta = shared:getWithMetadata("ts", "json")
        assert(math.type(value.deep[1].n) == "integer" and value.deep[2] == nil
          and value.deep[3] == "ä😀\\0" and #value.tags == 0)
        assert(meta.metadata[1] == "m" and meta.metadata[2] == 0 and meta.expiration == nil)
        value.tags[1] = nil
        shared:put("back", value)
        return shared:get("back")`)) as string,
      ),
    ).toEqual({ deep: [{ n: 1 }, null, "ä😀\0"], tags: [] });
    await all.close();
  });

  it("keeps bytes as bytes", async () => {
    const { run, all } = await program(place());
    const bytes = Uint8Array.from({ length: 70_000 }, (_value, i) => (i * 31) % 256);
    await all.namespace("bytes").put("ts", bytes);
    await run(`
      local kv = KV.namespace("bytes")
      local raw = kv:get("ts", "arrayBuffer")
      assert(#raw == 70000 and raw:byte(1, 1) == 0 and raw:byte(70000) == 69999 * 31 % 256)
      kv:put("lua", raw)`);
    expect(new Uint8Array((await all.namespace("bytes").get("lua", "arrayBuffer"))!)).toEqual(
      bytes,
    );
    await all.close();
  });

  it("gives a value with its metadata, and two nils for none", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_800_000_000_000 });
    const { run, all } = await program(place());
    expect(
      await run(`
        local kv = KV.namespace("meta")
        kv:put("ttl", "x", { expirationTtl = 60, metadata = { author = "ada" } })
        kv:put("at", "y", { expiration = 1800000100 })
        kv:put("null", "null")
        local value, meta = kv:getWithMetadata("ttl")
        local _, at = kv:getWithMetadata("at")
        local null, known = kv:getWithMetadata("null", "json")
        return json.encode({ value, meta.expiration, meta.metadata.author, at.expiration,
          at.metadata == nil, null == nil, known ~= nil,
          select("#", kv:getWithMetadata("none")), kv:getWithMetadata("none") == nil })`),
    ).toBe('["x",1800000060,"ada",1800000100,true,true,true,2,true]');
    vi.setSystemTime(1_800_000_060_000);
    expect(await run('return KV.namespace("meta"):get("ttl")')).toBe(null);
    expect(await run('return KV.namespace("meta"):get("at")')).toBe("y");
    await all.close();
  });

  it("lists in pages, ordered, with expiration and metadata of each key", async () => {
    const { run, all } = await program(place());
    const found = await run(`
      local kv = KV.namespace("listed")
      for i = 1, 25 do kv:put(string.format("post:%02d", i), { n = i },
        { metadata = { n = i } }) end
      kv:put("other", "x")
      local names, pages, cursor = {}, 0, nil
      repeat
        local page = kv:list({ prefix = "post:", limit = 10, cursor = cursor })
        for _, key in ipairs(page.keys) do names[#names + 1] = key.name .. "=" .. key.metadata.n end
        pages, cursor = pages + 1, page.cursor
      until page.list_complete
      assert(cursor == nil and #kv:list().keys == 26
        and kv:list{ prefix = "oth" }.keys[1].name == "other"
        and kv:list{ prefix = "none" }.list_complete)
      return pages .. " " .. #names .. " " .. names[1] .. " " .. names[25]`);
    expect(found).toBe("3 25 post:01=1 post:25=25");
    await all.close();
  });

  it("keeps sessions", async () => {
    const { run, call, all } = await program(place());
    await run(`
      package.preload.session = function()
        local kv, last = KV.namespace("sessions"), 0
        local M = {}
        function M.create(user)
          last = last + 1
          kv:put("session:" .. last, json.encode({ user = user, created = os.time() }),
            { expirationTtl = 86400 })
          return last
        end
        function M.get(id) return kv:get("session:" .. id, "json") end
        function M.destroy(id) kv:delete("session:" .. id) end
        return M
      end
      session = require("session")`);
    const id = await call("session.create", "ada");
    expect(await call("session.get", id)).toEqual({ user: "ada", created: expect.any(Number) });
    const listed = await all.namespace("sessions").list();
    expect(listed.keys[0]!.expiration! - Date.now() / 1000).toBeGreaterThan(86_000);
    await call("session.destroy", id);
    expect(await call("session.get", id)).toBe(null);
    await all.close();
  });

  it("caches answers", async () => {
    const { run, call, all } = await program(place());
    await run(`
      local kv, asked = KV.namespace("cache"), 0
      function posts() asked = asked + 1 return { { title = "one" }, { title = "two" } } end
      function GET(ctx)
        local cached = kv:get("posts", "json")
        if cached then return { status = 200, body = cached,
          headers = { ["X-Cache"] = "HIT" }, asked = asked } end
        local fresh = posts()
        kv:put("posts", json.encode(fresh), { expirationTtl = 300 })
        return { status = 200, body = fresh, headers = { ["X-Cache"] = "MISS" }, asked = asked }
      end`);
    const body = [{ title: "one" }, { title: "two" }];
    expect(await call("GET", { url: "/" })).toEqual({
      status: 200,
      body,
      headers: { "X-Cache": "MISS" },
      asked: 1,
    });
    expect(await call("GET", { url: "/" })).toEqual({
      status: 200,
      body,
      headers: { "X-Cache": "HIT" },
      asked: 1,
    });
    await all.close();
  });

  it("keeps a blog, with form actions over it", async () => {
    const { run, call, all } = await program(place());
    await run(`
      package.preload.blog = function()
        local kv, M = KV.namespace("blog"), {}
        function M.all()
          local found = json.array()
          for _, key in ipairs(kv:list({ prefix = "post:" }).keys) do
            table.insert(found, kv:get(key.name, "json")) end
          return found
        end
        function M.one(slug) return kv:get("post:" .. slug, "json") end
        function M.create(post)
          post.created = os.time()
          kv:put("post:" .. post.slug, json.encode(post),
            { metadata = { author = post.author, created = post.created } })
          return post
        end
        function M.update(slug, data)
          local post = M.one(slug)
          if not post then return nil, "no such post" end
          for name, value in pairs(data) do post[name] = value end
          kv:put("post:" .. slug, json.encode(post))
          return post
        end
        function M.delete(slug) kv:delete("post:" .. slug) end
        return M
      end
      blog = require("blog")
      function load(ctx)
        local post = blog.one(ctx.params.slug)
        if not post then return { error = "no such post", status = 404 } end
        return { post = post }
      end
      actions = {
        default = function(ctx)
          local _, problem = blog.update(ctx.params.slug, { title = ctx.form.title })
          if problem then return { status = 400, data = { error = problem } } end
          return { saved = true }
        end,
        delete = function(ctx)
          blog.delete(ctx.params.slug)
          return { redirect = "/blog" }
        end,
      }`);
    expect(await call("blog.all")).toEqual([]);
    await call("blog.create", { slug: "hello", title: "Hello", author: "ada" });
    const ctx = { params: { slug: "hello" }, form: { title: "Hello again" } };
    expect(await call("actions.default", ctx)).toEqual({ saved: true });
    expect(await call("load", ctx)).toMatchObject({
      post: { slug: "hello", title: "Hello again", author: "ada" },
    });
    expect(await call("actions.default", { ...ctx, params: { slug: "none" } })).toEqual({
      status: 400,
      data: { error: "no such post" },
    });
    expect(await call("blog.all")).toHaveLength(1);
    expect(await call("actions.delete", ctx)).toEqual({ redirect: "/blog" });
    expect(await call("load", ctx)).toEqual({ error: "no such post", status: 404 });
    await all.close();
  });

  it("answers many calls at once, in whatever order they end", async () => {
    const { run, call, all } = await program(place());
    await run(`
      local kv = KV.namespace("many")
      function turn(n)
        for i = 1, n % 5 do kv:put("k" .. n, n) end
        return kv:get("k" .. n) or "none"
      end`);
    const found = await Promise.all(Array.from({ length: 60 }, (_value, n) => call("turn", n)));
    expect(found).toEqual(
      Array.from({ length: 60 }, (_value, n) => (n % 5 === 0 ? "none" : `${n}`)),
    );
    await all.close();
  });
});

describe("what cannot be stored", () => {
  it.each([
    ["print", "value: a function"],
    ["{ a = { 1, print } }", "value.a[2]: a function"],
    ["{ a = io.stdout }", "value.a: a userdata"],
    ["{ a = coroutine.create(print) }", "value.a: a thread"],
    ["{ [{}] = 1 }", "value: a key that is a table"],
    ["{ [true] = 1 }", "value: a key that is a boolean"],
    ['{ [1] = "a", ["1"] = "b" }', 'value: both 1 and "1" as keys'],
    ['{ a = "\\xff" }', "value.a: a string that is not UTF-8"],
    ['{ ["\\xff"] = 1 }', "value: a key that is not UTF-8"],
    ["{ n = 0/0 }", "value.n: nan"],
    ["{ n = -1/0 }", "value.n: inf"],
    ["{ n = 9007199254740993 }", "value.n: an integer beyond 2^53"],
    ["cycle", "value.a.b: a table inside itself"],
    ["deep", "tables more than 1000 deep"],
  ])("%s is a Lua error that names it, and nothing is written", async (value, message) => {
    const { run, raised } = await program();
    await run(
      "cycle = { a = {} } cycle.a.b = cycle deep = {} do local t = deep for i = 1, 5000 " +
        'do t.t = {} t = t.t end end KV.namespace("n"):put("k", "before")',
    );
    const found = await raised(`KV.namespace("n"):put("k", ${value})`);
    expect(found).toContain("this cannot be stored: ");
    expect(found).toContain(message);
    expect(found).toMatch(/^\[string ".*"\]:\d+: /);
    expect(await raised(`return json.encode(${value})`)).toContain(message);
    expect(await run('return KV.namespace("n"):get("k")')).toBe("before");
  });

  it.each([
    ['kv.get("a")', "call it with a colon: kv:get(...)"],
    ["kv:get()", "a key is a string, not nil"],
    ["kv:get(5)", "a key is a string, not a number"],
    ['kv:get("")', "empty"],
    ['kv:get("\\xff")', "a key is a string of UTF-8"],
    ['kv:get("a", "xml")', 'unknown type "xml"'],
    ['kv:put("a")', "nil cannot be stored"],
    ['kv:put("a", "b", { expirationTtl = 0.5 })', "expirationTtl"],
    ['kv:put("a", "b", { expiration = "soon" })', "expiration"],
    ['kv:put("a", "b", { metadata = print })', "options.metadata: a function"],
    ['kv:put("a", "b", 5)', "options are a table"],
    [
      'kv:put("a", "b", { ttl = 60 })',
      "ttl is not an option of kv:put(): did you mean expirationTtl?",
    ],
    ["kv:list({ count = 5 })", "count is not an option of kv:list(): did you mean limit?"],
    ["kv:list({ limit = 2000 })", "1000"],
    ["kv:list({ cursor = 'nonsense' })", "cursor"],
    ["KV.namespace()", "the name of a namespace is a string, not a nil"],
    ["KV.namespace('\\xff')", "the name of a namespace is a string of UTF-8"],
    ["json.decode('{')", "this is not JSON"],
    // Nothing of what is kept, which may be a secret.
    ["kv:put('a', 'secret') == kv:get('a', 'json')", /: this is not JSON$/],
    ["json.decode()", "json.decode takes a string"],
  ])("%s is a Lua error", async (code, message) => {
    const { raised } = await program();
    expect(await raised(`local kv = KV.namespace("n") local _ = ${code}`)).toMatch(message);
  });
});

describe("JSON in Lua", () => {
  it.each([
    ["{}", "{}"],
    ["json.array()", "[]"],
    ["json.array({ 1 })", "[1]"],
    ["{ 1, nil, 3 }", "[1,null,3]"],
    ["{ [1000] = 1 }", '{"1000":1}'],
    ["{ [1] = 1, [4] = 4 }", "[1,null,null,4]"],
    ["{ [1] = 1, [5] = 5 }", '{"1":1,"5":5}'],
    ["(function() local t = { 1 } return { t, { t } } end)()", "[[1],[[1]]]"],
    ["json.decode('[10000000000000000,1e300]')", "[10000000000000000,1e+300]"],
    ['"\\u{FEFF}x"', '"\ufeffx"'],
    ['""', '""'],
    ["{ [0] = 1 }", '{"0":1}'],
    ["{ [1.5] = 1 }", '{"1.5":1}'],
    ["{ __proto__ = 1 }", '{"__proto__":1}'],
    ["nil", "null"],
    ["1e300", "1e+300"],
    ["3.0", "3"],
    ['"\\0\\n"', '"\\u0000\\n"'],
    ['json.decode(\'{"a":[],"b":{}}\').a', "[]"],
    ["json.decode('[[],{}]')", "[[],{}]"],
  ])("encodes %s as %s", async (value, text) => {
    const { run } = await program();
    expect(await run(`return json.encode(${value})`)).toBe(text);
  });

  it("is a module too, and leaves a module of the program alone", async () => {
    const { run } = await program();
    expect(await run('return require("json").encode({ require("KV") == KV })')).toBe("[true]");
    const lua = await new LuaFactory().createEngine();
    states.push(lua);
    await lua.doString('json = { encode = function() return "mine" end }');
    installKV(lua, PLACES.memory!());
    expect(await lua.doString("return json.encode({})")).toBe("mine");
    const other = await new LuaFactory().createEngine();
    states.push(other);
    await other.doString('package.loaded.json = { encode = function() return "mine" end }');
    installKV(other, PLACES.memory!());
    expect(
      await other.doString(
        'return require("json").encode({}) .. json.encode({ getmetatable(KV.namespace("n")) })',
      ),
    ).toBe("mine[false]");
  });
});

describe("waiting", () => {
  it("goes through coroutines of the program", async () => {
    const { run } = await program();
    expect(
      await run(`
        local kv = KV.namespace("co")
        local function numbers()
          for i = 1, 3 do
            kv:put("n", i)
            coroutine.yield(kv:get("n"))
          end
        end
        local text = ""
        for n in coroutine.wrap(numbers) do text = text .. n end
        local thread = coroutine.create(function() return kv:get("n"), kv:get("") end)
        local ok, message = coroutine.resume(thread)
        return text .. tostring(ok) .. message .. coroutine.status(thread)`),
    ).toMatch(/^123false.*empty.*dead$/);
  });

  it.each([
    [
      "yields of nothing",
      "local c = coroutine.create(function() coroutine.yield() end) return select('#', " +
        "coroutine.resume(c))",
    ],
    [
      "yields of many values",
      "local c = coroutine.create(function(...) coroutine.yield(...) end) return " +
        "select('#', coroutine.resume(c, nil, 0/0, nil))",
    ],
    [
      "the place of an error",
      "local g = coroutine.wrap(function() error('no luck') end)\nlocal _, m = " +
        "pcall(function()\n g() end) return m",
    ],
    [
      "an error that is no text",
      "local t = {} local _, m = pcall(coroutine.wrap(function() error(t) end)) return m == t",
    ],
    [
      "a dead coroutine",
      "local g = coroutine.wrap(function() end) g() local _, m = pcall(function() g() " +
        "end) return m",
    ],
    [
      "a coroutine inside itself",
      "local g g = coroutine.wrap(function() g() end) local _, m = pcall(function() g() " +
        "end) return m",
    ],
    [
      "an error while one is closed",
      "local g = coroutine.wrap(function() local x <close> = setmetatable({}, { __close " +
        "= function(_, e) error(e .. ', closed', 0) end }) error('failed', 0) end) local " +
        "_, m = pcall(g) return m",
    ],
    ["what is no coroutine", "local _, m = pcall(function() coroutine.resume(5) end) return m"],
    ["what is no function", "local _, m = pcall(function() coroutine.wrap('x') end) return m"],
    [
      "coroutines in coroutines without end",
      "local n = 0 local function f() n = n + 1 return coroutine.wrap(f)() end local ok " +
        "= pcall(f) return n",
    ],
  ])("changes nothing for programs without it: %s", async (_, code) => {
    const [{ lua }, plain] = [await program(), await new LuaFactory().createEngine()];
    states.push(plain);
    expect(await lua.doString(code)).toEqual(await plain.doString(code));
  });

  it("of one coroutine for two calls at once is refused, as Lua refuses it", async () => {
    const { run, call } = await program();
    await run(`
      local kv = KV.namespace("two")
      kv:put("a", "A") kv:put("b", "B")
      local next = coroutine.wrap(function(key)
        while true do key = coroutine.yield(kv:get(key)) end end)
      function get(key) return next(key) end`);
    const both = await Promise.allSettled([call("get", "a"), call("get", "b")]);
    expect(both).toMatchObject([
      { value: "A" },
      { reason: { message: expect.stringContaining("cannot resume non-suspended coroutine") } },
    ]);
    expect(await call("get", "b")).toBe("B");
  });

  it("says where it is not possible", async () => {
    const { lua, raised, run } = await program();
    const refusal = /has to wait, which Lua cannot do here.*doString\(\) or call\(\)/;
    expect(
      await raised('table.sort({ 1, 2 }, function() return KV.namespace("n"):get("x") end)'),
    ).toMatch(refusal);
    expect(() => lua.doStringSync('return KV.namespace("n"):get("x")')).toThrow(refusal);
    // A coroutine can yield there, to somebody who cannot wait.
    const inside =
      'local function get() return KV.namespace("n"):get("x") end local c = ' +
      "coroutine.create(function() return coroutine.wrap(get)() end)";
    expect(
      await raised(`${inside} table.sort({ 1, 2 }, function() assert(coroutine.resume(c)) end)`),
    ).toMatch(refusal);
    expect(() => lua.doStringSync(`${inside} assert(coroutine.resume(c))`)).toThrow(refusal);
    await run('function load() return KV.namespace("n"):get("x") end');
    expect(() => lua.global.get("load")()).toThrow(refusal);
  });

  it("raises the error of a closed store", async () => {
    const { all, raised } = await program();
    await all.close();
    expect(await raised('KV.namespace("n"):get("x")')).toMatch(/closed/);
  });

  it("raises the error of the called function, and names a missing function", async () => {
    const { run, call } = await program();
    await run('function fails() error("no luck") end value = 5');
    await expect(call("fails")).rejects.toThrow("no luck");
    for (const name of ["none", "value", "value.x", "KV.nothing", ""])
      await expect(call(name)).rejects.toMatchObject({
        code: "KV_INVALID_VALUE",
      } satisfies Partial<KvError>);
    await run("function both() return 1, { 2 }, nil end function gives() return print end");
    expect(await call("both")).toEqual([1, [2], null]);
    await expect(call("gives")).rejects.toThrow("result 1: a function");
  });
});

describe("a program that declares its globals", () => {
  const strict =
    'setmetatable(_G, { __index = function(_, name) error("undeclared " .. name, 2) end,' +
    ' __newindex = function(_, name) error("undeclared " .. name, 2) end })';

  it("has KV and json all the same, and its functions are looked up as it does", async () => {
    const lua = await new LuaFactory().createEngine();
    states.push(lua);
    await lua.doString(strict);
    const { call } = installKV(lua, PLACES.memory!());
    await lua.doString(`
      rawset(_G, "count", function(...) return select("#", ...), KV.namespace("n"):get("x")
        or json.encode({ ... }) end)
      rawset(_G, "made", setmetatable({}, { __index = function(_, name)
        return function() return KV.namespace("n"):get(name) or name end end }))`);
    await expect(call("missing")).rejects.toThrow("undeclared missing");
    expect([await call("count", 1, null), await call("made.later")]).toEqual([[2, "[1]"], "later"]);
  });
});

it("refuses arguments that are no JSON", async () => {
  const { call, run } = await program();
  await run("function count(...) return select('#', ...) end");
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  for (const value of [1n, NaN, new Date(), Math.abs, cycle])
    await expect(call("count", 1, value as never)).rejects.toMatchObject({
      code: "KV_INVALID_VALUE",
      message: expect.stringMatching(/^argument 2.*: functions of Lua are passed JSON$/),
    });
  expect(await call("count", undefined as never, null)).toBe(2);
  for (const none of [undefined, Symbol("count")])
    await expect(call(none as never)).rejects.toMatchObject({ code: "KV_INVALID_VALUE" });
});

it("reads JSON as deep as it is stored, and refuses deeper JSON", async () => {
  const { run, raised, all } = await program();
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  await all.namespace("n").put("deep", JSON.parse(nested(1000)) as object);
  expect(
    await run(
      'local kv = KV.namespace("n") kv:put("copy", kv:get("deep", "json")) return kv:get("copy")',
    ),
  ).toBe(nested(1000));
  for (const depth of [1002, 1_000_000])
    expect(await raised(`json.decode(("["):rep(${depth}) .. ("]"):rep(${depth}))`)).toMatch(
      /this JSON is more than 1000 deep$/,
    );
});

it("goes on when Lua has no memory left", async () => {
  const lua = await new LuaFactory().createEngine({ traceAllocations: true });
  states.push(lua);
  const all = PLACES.memory!();
  installKV(lua, all);
  await all
    .namespace("n")
    .put("large", JSON.stringify(Array.from({ length: 10_000 }, (_, n) => ({ n }))));
  lua.global.setMemoryMax(lua.global.getMemoryUsed() + 100_000);
  expect(
    await lua.doString(
      'local ok, message = pcall(function() return KV.namespace("n"):get("large", ' +
        '"json") end) return message',
    ),
  ).toBe("not enough memory");
  lua.global.setMemoryMax(undefined);
  expect(await lua.doString('return #KV.namespace("n"):get("large", "json")')).toBe(10_000);
});

it("keeps no memory of finished calls", async () => {
  const { run, call } = await program();
  await run(`
    local kv = KV.namespace("n")
    function work(n) for i = 1, n do coroutine.wrap(function() kv:put("k", { i })
      pcall(kv.get, kv, "") return kv:get("k", "json") end)() end end
    function used() for i = 1, 3 do collectgarbage() end return collectgarbage("count") end`);
  const round = async (): Promise<number> => {
    await call("work", 500);
    for (let i = 0; i < 200; i++) await call("work", 1);
    return (await call("used")) as number;
  };
  await round();
  const before = await round();
  expect((await round()) - before).toBeLessThan(20);
});

describe("a state that is closed", () => {
  const code =
    'function work() local kv = KV.namespace("n") for i = 1, 20 do kv:put("k" .. i, ' +
    '("x"):rep(1000)) end return #kv:list().keys end';

  it("ends its calls, and does not touch the other states of its factory", async () => {
    const [factory, all] = [new LuaFactory(), PLACES.memory!()];
    const other = await factory.createEngine();
    states.push(other);
    const { call } = installKV(other, all);
    await other.doString(code);
    for (let i = 0; i < 30; i++) {
      const lua = await factory.createEngine();
      const installed = installKV(lua, all);
      await lua.doString(code);
      let ended = false;
      void lua.doString("work()").finally(() => (ended = true));
      const calls = Promise.allSettled([
        installed.call("work"),
        installed.call("work"),
        installed.call("work"),
      ]);
      for (let turn = 0; turn < i % 7; turn++) await undefined;
      lua.global.close();
      expect(await call("work")).toBe(20);
      for (const each of await calls) expect(each).toMatchObject({ reason: { code: "KV_CLOSED" } });
      await expect(installed.call("work")).rejects.toMatchObject({ code: "KV_CLOSED" });
      expect(ended).toBe(false);
    }
  });

  it("leaves nothing behind in its factory", async () => {
    const factory = new LuaFactory();
    const { module } = await factory.getLuaModule();
    // The highest of many slots for functions: those that are free are taken first.
    const top = (): number => {
      const slots = Array.from({ length: 100 }, () => module.addFunction(() => 0, "i"));
      for (const slot of slots) module.removeFunction(slot);
      return Math.max(...slots);
    };
    const before = top();
    for (let i = 0; i < 30; i++) {
      const lua = await factory.createEngine();
      installKV(lua, PLACES.memory!());
      lua.global.close();
    }
    expect(top()).toBe(before);
  });
});

it("takes only a state of wasmoon and namespaces, and leaves its stack as it was", async () => {
  for (const none of [{}, null, undefined])
    expect(() => installKV(none as never, PLACES.memory!())).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
  const state = await new LuaFactory().createEngine();
  states.push(state);
  for (const none of [undefined, null, kv()])
    expect(() => installKV(state, none as never)).toThrow(
      expect.objectContaining({ code: "KV_INVALID_CLIENT" }),
    );
  const { lua, all, call, run } = await program();
  await run("function one() return KV.namespace('n'):get('x') end");
  const before = lua.global.getTop();
  installKV(lua, all);
  await call("one");
  await call("none").catch(() => undefined);
  expect(lua.global.getTop()).toBe(before);
  expect(
    await run(
      'KV.namespace("n"):put("a", { json.array() }) return KV.namespace("n"):get("a") ' +
        '.. json.encode(KV.namespace("n"):get("a", "json"))',
    ),
  ).toBe("[[]][[]]");
});
