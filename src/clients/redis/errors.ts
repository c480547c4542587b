import { KvError } from "../../errors.ts";
import { foreign } from "../../record/text-format.ts";

/** The error for a record that Redis cannot hold. */
export function tooLarge(key: string | undefined, cause?: unknown): KvError {
  return new KvError(
    "KV_TOO_LARGE",
    "the record is larger than Redis keeps in one key: nothing was written",
    { key, cause },
  );
}

/**
 * The error for a commit that was refused when it was sent a second time: perhaps because it had
 * been made the first time.
 */
export function unsure(cause?: unknown): KvError {
  const message =
    "the connection was cut before the answer came, and the client sent this commit again: " +
    "whether it was made the first time cannot be told; read the keys again";
  return new KvError("KV_CONNECTION", message, cause === undefined ? {} : { cause });
}

// The error for an unknown command quotes its arguments.
const withoutArguments = (text: string): string =>
  text.replace(/, with args beginning with: [^]*?(?=\n {4}at |$)/g, "");

type Members = { [name: string]: unknown };

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function";

/**
 * An error of a client without the arguments of the command that failed, which it carries along: a
 * password, a value. It is the same one if it carries none.
 */
function bare(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const names = Object.getOwnPropertyNames(error);
  const members = error as unknown as Members;
  const kept = names.map((name): [string, unknown] => [name, bareMember(members[name])]);
  if (kept.every(([name, value]) => value === members[name])) return error;
  // Of the same class, without its constructor, which may want more than a message.
  const copy = Object.setPrototypeOf(
    new Error(withoutArguments(error.message)),
    Object.getPrototypeOf(error),
  ) as Error;
  for (const [name, value] of kept)
    if (value !== undefined)
      Object.defineProperty(copy, name, {
        value,
        configurable: true,
        writable: true,
        enumerable: Object.getOwnPropertyDescriptor(error, name)!.enumerable!,
      });
  return copy;
}

/** The part of a member of an error that can be shown: texts, numbers and errors. */
function bareMember(value: unknown): unknown {
  if (typeof value === "string") return withoutArguments(value);
  if (!isObject(value)) return value;
  if (value instanceof Error) return bare(value);
  if (!Array.isArray(value)) return undefined;
  const errors = value.map(bare);
  return errors.every((each, i) => each === value[i] && each instanceof Error)
    ? value
    : errors.filter((each) => each instanceof Error);
}

/**
 * The KvError for an error of Redis, where there is a code for it, without secrets. Scripts of old
 * servers wrap the errors of their commands.
 */
export function redisError(error: unknown, key?: string): unknown {
  const cause = bare(error);
  const message = String((cause as Partial<Error> | null)?.message);
  if (/\bWRONGTYPE\b/.test(message) && key !== undefined) return foreign(key);
  if (/\bOOM command not allowed/.test(message))
    return new KvError(
      "KV_QUOTA",
      "the memory of Redis is full (maxmemory): nothing was written; delete something first",
      { key, cause },
    );
  if (/invalid bulk length|exceeds maximum allowed size/.test(message)) return tooLarge(key, cause);
  return cause;
}

/** A function that rejects with the {@link redisError} of an error. */
export const rejecting =
  (key?: string) =>
  (error: unknown): never => {
    throw redisError(error, key);
  };
