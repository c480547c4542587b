import { KvError, type KvErrorCode } from "../errors.ts";

/** By whose rules a namespace goes, and how it refuses. */
export interface Rules {
  /** Exactly those of Workers KV. */
  readonly isWorkers: boolean;
  /** Throws: a KvError, or with the rules of Workers KV the class of error that it throws, with the code added. */
  refuse(code: KvErrorCode, message: string, like?: new (message: string) => Error, cause?: unknown): never;
}

/** @throws {KvError} KV_INVALID_VALUE for anything but `"workers"` or nothing. */
export function rulesOf(compat: unknown): Rules {
  if (compat !== undefined && compat !== "workers") throw new KvError("KV_INVALID_VALUE", 'compat is "workers", or left out');
  const isWorkers = compat === "workers";
  return {
    isWorkers,
    refuse(code, message, Like = Error, cause) {
      if (isWorkers) throw Object.assign(new Like(message), { code });
      throw new KvError(code, message, cause === undefined ? {} : { cause });
    },
  };
}
