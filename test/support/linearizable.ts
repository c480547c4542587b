/** What a register holds; `null` is nothing. */
export type Value = number | null;

/**
 * One operation on one key as a process saw it: when it called and when it was answered, and how.
 */
export type Operation = {
  readonly called: number;
  /** `Infinity` when the answer never came: it may have happened at any time since, or never. */
  readonly returned: number;
} & (
  | { readonly kind: "read"; readonly value: Value }
  | { readonly kind: "write"; readonly value: Value }
  /** Set to `value` if it was `expected`; `done` is what the process was told. */
  | {
      readonly kind: "swap";
      readonly expected: Value;
      readonly value: Value;
      readonly done: boolean;
    }
);

/** What the register holds after an operation; `undefined` when it could not have answered so. */
function after(operation: Operation, held: Value): Value | undefined {
  switch (operation.kind) {
    case "read":
      return operation.value === held ? held : undefined;
    case "write":
      return operation.value;
    case "swap":
      if (operation.done !== (held === operation.expected)) return undefined;
      return operation.done ? operation.value : held;
  }
}

/**
 * Whether there is an order of all operations, each between its call and its answer, in which a
 * register would have answered the same: the search of Wing and Gong, which remembers where it has
 * been.
 */
export function isLinearizable(history: readonly Operation[], initial: Value = null): boolean {
  const done = new Uint8Array(history.length);
  const visited = new Set<string>();
  const visit = (held: Value): boolean => {
    let earliest = Infinity;
    history.forEach(({ returned }, i) => {
      if (done[i] === 0) earliest = Math.min(earliest, returned);
    });
    // What is left was never answered, and need not have happened.
    if (earliest === Infinity) return true;
    const place = `${done.join("")} ${held}`;
    if (visited.has(place)) return false;
    visited.add(place);
    return history.some((operation, i) => {
      if (done[i] === 1 || operation.called > earliest) return false;
      const next = after(operation, held);
      if (next === undefined) return false;
      done[i] = 1;
      const isPossible = visit(next);
      done[i] = 0;
      return isPossible;
    });
  };
  return visit(initial);
}
