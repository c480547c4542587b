interface Members {
  readonly [name: string]: unknown;
}

const OPERATORS: { readonly [name: string]: (found: unknown, wanted: unknown) => boolean } = {
  $eq: (found, wanted) => isEqual(found, wanted),
  $ne: (found, wanted) => !isEqual(found, wanted),
  $gt: (found, wanted) => Number(found) > Number(wanted),
  $gte: (found, wanted) => Number(found) >= Number(wanted),
  $lt: (found, wanted) => Number(found) < Number(wanted),
  $lte: (found, wanted) => Number(found) <= Number(wanted),
  $in: (found, wanted) => isAmong(found, wanted),
  $nin: (found, wanted) => !isAmong(found, wanted),
};

/** Whether two JSON values are the same. The order of members does not count. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [names, others] = [Object.keys(a), Object.keys(b)];
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === others.length &&
    names.every(
      (name) => Object.hasOwn(b, name) && isEqual((a as Members)[name], (b as Members)[name]),
    )
  );
}

const isAmong = (found: unknown, wanted: unknown): boolean =>
  Array.isArray(wanted) && wanted.some((one) => isEqual(found, one));

function fits(found: unknown, wanted: unknown): boolean {
  const names = typeof wanted === "object" && wanted !== null ? Object.keys(wanted) : [];
  if (names.length === 0 || !names.every((name) => Object.hasOwn(OPERATORS, name)))
    return isEqual(found, wanted);
  return names.every((name) => OPERATORS[name]!(found, (wanted as Members)[name]));
}

/** Whether a value has the members of a filter, which may be operators such as `{ $gt: 5 }`. */
export function matches(value: Members, filter: Members = {}): boolean {
  return Object.entries(filter).every(([name, wanted]) =>
    fits(Object.hasOwn(value, name) ? value[name] : undefined, wanted),
  );
}
