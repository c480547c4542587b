/** A number as a text that is the same number when it is read, as short as may be. */
export const NUMBER_TEXT: string = `
local function textOf(number)
  for digits = 15, 17 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return text end
  end
end
local function isFinite(number)
  return number ~= nil and number == number and number < math.huge and number > -math.huge
end
`;
