import type { Json } from "../types.ts";

type Members = { readonly [name: string]: Json };

const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Merges two changes of one value: `mine` and `theirs`, which both started from `base`. Objects are
 * merged member by member. Where both changed the same member, `mine` wins. `undefined` is absent.
 */
export function mergeChanges(
  base: Json | undefined,
  mine: Json | undefined,
  theirs: Json | undefined,
): Json | undefined {
  if (isSame(mine, base)) return theirs;
  if (isSame(theirs, base) || !isObject(mine) || !isObject(theirs)) return mine;
  const before = isObject(base) ? base : {};
  const member = (object: Members, name: string): Json | undefined =>
    Object.hasOwn(object, name) ? object[name] : undefined;
  const names = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
  const merged = [...names].flatMap((name): [string, Json][] => {
    const value = mergeChanges(member(before, name), member(mine, name), member(theirs, name));
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(merged);
}
