import { KvError } from "../errors.ts";

/**
 * Throws if a method over the whole store was given an argument: its caller means a part of the
 * store, and the call would reach all of it.
 *
 * @throws {KvError} KV_INVALID_VALUE with the code to write.
 */
export function checkNoArguments(method: string, args: readonly unknown[]): void {
  if (args.every((arg) => arg === undefined)) return;
  throw new KvError(
    "KV_INVALID_VALUE",
    `${method}() means the whole store and takes no argument: write ` +
      `store.prefix("user:").${method}() for a part of it`,
  );
}
