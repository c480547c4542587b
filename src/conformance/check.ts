import { isKvError, type KvErrorCode } from "../errors.ts";

/** The error of a failing statement. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (a instanceof Date || b instanceof Date) return String(a) === String(b);
  const keys = Object.keys(a);
  const at = (object: object, key: string): unknown =>
    Object.getOwnPropertyDescriptor(object, key)?.value;
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(at(a, key), at(b, key)))
  );
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text;
}

/** Deep equality of JSON-like data; `-0` is not `0`, and only own keys count. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (!same(actual, expected))
    throw new ConformanceError(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
}

export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ConformanceError(what);
}

/** Runs the work and hands back its refusal, which has to carry this code. */
export async function refused(
  code: KvErrorCode,
  work: () => unknown,
  what: string,
): Promise<Error> {
  try {
    await work();
  } catch (error) {
    if (isKvError(error, code)) return error;
    throw new ConformanceError(
      `${what}: expected ${code}, got ${(error as { code?: unknown }).code ?? error}`,
      { cause: error },
    );
  }
  throw new ConformanceError(`${what}: expected ${code}, but nothing was refused`);
}

export const sorted = (texts: Iterable<string>): string[] => [...texts].sort();

export function broken(what: string): never {
  throw new ConformanceError(what);
}
