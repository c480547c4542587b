/**
 * The part of the global `KV` and `json` that is written in Lua: the functions that wait. A Lua
 * program waits by giving a promise to its caller (`coroutine.yield`), which is possible only from
 * Lua itself. Called with the metatable of arrays and the functions of `bridge.ts`; returns the
 * function that `call()` runs.
 */
export const PRELUDE = `
local arrays, open, begin, finish, encode, decode = ...
local globals, pack, unpack = _G, table.pack, table.unpack
local create, resume = coroutine.create, coroutine.resume
local yield, close = coroutine.yield, coroutine.close
local running, status, isyieldable = coroutine.running, coroutine.status, coroutine.isyieldable
local function weak() return setmetatable({}, { __mode = "k" }) end
local ids, named = weak(), {}
-- Promises of operations; coroutines that were resumed where Lua cannot wait; and those that wait.
local promises, stuck, waiting = weak(), weak(), weak()

local function canWait() return isyieldable() and not stuck[running()] end

-- Always the last call of a function that the program called: level 2 is then where the program
-- stands.
local function check(ok, ...)
  if not ok then error((...), 2) end
  return ...
end

local function wait(self, method, ...)
  local id = ids[self]
  if not id then error("call it with a colon: kv:" .. method .. "(...)", 2) end
  if not canWait() then
    error("kv:" .. method .. "() has to wait, which Lua cannot do here: run the program by "
      .. "lua.doString() or call(), and not inside of a callback of sort, gsub or require", 2)
  end
  local ticket, promise = begin(id, method, ...)
  if not ticket then error(promise, 2) end
  promises[promise] = true
  local thread, results = running(), nil
  waiting[thread] = true
  repeat
    yield(promise)
    results = pack(finish(ticket))
  until results.n > 0
  waiting[thread] = nil
  return check(unpack(results, 1, results.n))
end

local methods = {}
for _, name in ipairs({ "get", "getWithMetadata", "put", "delete", "list" }) do
  methods[name] = function(self, ...)
    return wait(self, name, ...)
  end
end

local class = { __index = methods, __name = "KV.namespace", __metatable = false }

local KV = {
  namespace = function(name)
    if type(name) ~= "string" then
      error("the name of a namespace is a string, not a " .. type(name), 2)
    end
    if not named[name] then
      local id, message = open(name)
      if not id then error(message, 2) end
      named[name] = setmetatable({}, class)
      ids[named[name]] = id
    end
    return named[name]
  end,
}

-- What a program says of its globals, such as that all have to be declared, is not asked.
local json = rawget(globals, "json") or {
  encode = function(value) return check(encode(value)) end,
  decode = function(text) return check(decode(text)) end,
  array = function(items) return setmetatable(items or {}, arrays) end,
}
rawset(globals, "KV", KV)
rawset(globals, "json", json)
local package = rawget(globals, "package")
if package then
  package.loaded.KV = KV
  package.loaded.json = package.loaded.json or json
end

-- A coroutine of the program that has to wait hands its promise on to its resumer. Programs do not
-- see that.
local function handOn(thread, ...)
  local ok, promise = ...
  if not ok or not promises[promise] then return ... end
  yield(promise)
  return handOn(thread, resume(thread))
end
local function resumed(thread, ...)
  if waiting[thread] then return false, "cannot resume non-suspended coroutine" end
  stuck[thread] = not canWait() or nil
  return handOn(thread, resume(thread, ...))
end
local function expect(kind, value, name)
  if type(value) ~= kind then
    local found = kind .. " expected, got " .. type(value)
    error("bad argument #1 to '" .. name .. "' (" .. found .. ")", 3)
  end
end

function coroutine.resume(thread, ...)
  expect("thread", thread, "resume")
  return resumed(thread, ...)
end

function coroutine.wrap(run)
  expect("function", run, "wrap")
  local thread = create(run)
  local function results(ok, ...)
    if ok then return ... end
    local message = ...
    -- As Lua does it: what is open in the coroutine is closed, and a text says where it was called.
    if status(thread) == "dead" then
      local isFine, last = close(thread)
      if not isFine then message = last end
    end
    error(message, 2)
  end
  return function(...) return results(resumed(thread, ...)) end
end

-- Looks a function up as the program would, and calls it.
return function(count, ...)
  local found = globals
  for i = 1, count do found = type(found) == "table" and found[(select(i, ...))] or nil end
  if type(found) ~= "function" then return false end
  return true, found(select(count + 1, ...))
end
`;
