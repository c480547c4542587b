/** Whether something has all these methods, its own or inherited. */
export function hasMethods(input: unknown, ...names: string[]): boolean {
  const object = Object(input) as { [name: string]: unknown };
  return object === input && names.every((name) => typeof object[name] === "function");
}
