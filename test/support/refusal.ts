import type { KvValidationError } from "../../src/schema/index.ts";

/** What something is refused with. */
export async function refusal(work: () => unknown): Promise<KvValidationError> {
  try {
    await work();
  } catch (error) {
    return error as KvValidationError;
  }
  throw new Error("it was not refused");
}
