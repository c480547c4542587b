/**
 * What of the global `KV` and `json` is written in Lua: what waits. A Lua program waits by giving a promise to whoever runs it (`coroutine.yield`), which
 * is possible only from Lua itself. Called with the metatable of arrays and the functions of `bridge.ts`.
 */
export const PRELUDE = `
local arrays, open, begin, finish, encode, decode = ...
local ids, named = setmetatable({}, { __mode = "k" }), {}
local yield, isyieldable, pack, unpack = coroutine.yield, coroutine.isyieldable, table.pack, table.unpack
local promises = setmetatable({}, { __mode = "k" })

-- Always the last call of a function that the program called: level 2 is then where the program stands.
local function check(ok, ...)
  if not ok then error((...), 2) end
  return ...
end

local function wait(self, method, ...)
  local id = ids[self]
  if not id then error("call it with a colon: kv:" .. method .. "(...)", 2) end
  if not isyieldable() then
    error("kv:" .. method .. "() has to wait, which Lua cannot do here: run the program by lua.doString() or call(), and not inside of a callback of sort, gsub or require", 2)
  end
  local ticket, promise = begin(id, method, ...)
  if not ticket then error(promise, 2) end
  promises[promise] = true
  local results
  repeat
    yield(promise)
    results = pack(finish(ticket))
  until results.n > 0
  return check(unpack(results, 1, results.n))
end

local methods = {}
for _, name in ipairs({ "get", "getWithMetadata", "put", "delete", "list" }) do
  methods[name] = function(self, ...)
    return wait(self, name, ...)
  end
end

local class = { __index = methods, __name = "KV.namespace", __metatable = false }

KV = {
  namespace = function(name)
    if type(name) ~= "string" then error("the name of a namespace is a string, not a " .. type(name), 2) end
    if not named[name] then
      local id, message = open(name)
      if not id then error(message, 2) end
      named[name] = setmetatable({}, class)
      ids[named[name]] = id
    end
    return named[name]
  end,
}

local module = {
  encode = function(value) return check(encode(value)) end,
  decode = function(text) return check(decode(text)) end,
  array = function(items) return setmetatable(items or {}, arrays) end,
}
json = json or module
if package then
  package.loaded.KV = KV
  package.loaded.json = package.loaded.json or json
end

-- A coroutine of the program that has to wait hands its promise on to whoever resumed it.
local resume = coroutine.resume
local function handOn(thread, ok, promise, ...)
  if ok and promises[promise] and isyieldable() then
    yield(promise)
    return handOn(thread, resume(thread))
  end
  return ok, promise, ...
end
function coroutine.resume(thread, ...)
  return handOn(thread, resume(thread, ...))
end
function coroutine.wrap(run)
  local thread = coroutine.create(run)
  local function results(ok, ...)
    if not ok then
      coroutine.close(thread)
      error((...), 0)
    end
    return ...
  end
  return function(...) return results(handOn(thread, resume(thread, ...))) end
end
`;
