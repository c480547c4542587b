import { isKvError } from "../../errors.ts";

/**
 * What a visitor sends as a token can be no key at all: too long, empty or broken text. Nothing is
 * stored under it, so it is absent.
 */
export async function ifPossible<T>(read: () => Promise<T | null>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isKvError(error, "KV_TOO_LARGE") || isKvError(error, "KV_INVALID_KEY")) return null;
    throw error;
  }
}
