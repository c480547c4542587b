import { KvError, type KvErrorCode } from "../errors.ts";

/** By whose rules a namespace goes, and how it refuses. */
export interface Rules {
  /** Exactly those of Workers KV. */
  readonly isWorkers: boolean;
  /**
   * Throws a KvError. With the rules of Workers KV it throws the class of error that a binding
   * throws. The `code` of that is not enumerable, because a binding has no such member: test
   * runners compare errors by their enumerable members.
   */
  refuse(
    code: KvErrorCode,
    message: string,
    like?: new (message: string) => Error,
    cause?: unknown,
  ): never;
}

/** @throws {KvError} KV_INVALID_VALUE for anything but `"workers"` or nothing. */
export function rulesOf(compat: unknown): Rules {
  if (compat !== undefined && compat !== "workers")
    throw new KvError("KV_INVALID_VALUE", 'compat is "workers", or left out');
  const isWorkers = compat === "workers";
  return {
    isWorkers,
    refuse(code, message, Like = Error, cause) {
      if (isWorkers) throw Object.defineProperty(new Like(message), "code", { value: code });
      throw new KvError(code, message, cause === undefined ? {} : { cause });
    },
  };
}
