import type { Entry } from "../api.ts";
import { untilDone } from "../concurrency/retry.ts";
import { KvError } from "../errors.ts";
import type { Expires } from "../types.ts";
import type { Cell } from "./cell.ts";
import { isJsonObject } from "./checks.ts";
import type { FieldWriteOptions } from "./fields.ts";
import type { JsonContent } from "./json-content.ts";
import type { Content, Steps } from "./steps.ts";

/** An entry with its value, and the change that the caller makes. */
interface Patched {
  readonly entry: Entry<unknown>;
  readonly before: unknown;
  readonly patch: unknown;
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as Partial<PromiseLike<unknown>> | null)?.then === "function";

/** Calls the caller's function with a copy of the value; `null` when there is no value. */
async function patched(
  content: JsonContent,
  steps: Steps,
  change: (value: never) => unknown,
): Promise<Patched | null> {
  // This rejects for a client that cannot change values safely, with or without a value.
  const entry = await steps.changeable();
  if (entry === null) return null;
  const { value: kept, old } = await content.read(entry.value as Content);
  const before = old ? (await content.settle(kept)).value : kept;
  return { entry, before, patch: change(content.copy(before) as never) };
}

/** Writes the patch. `null`: the entry was written since. */
async function applied(
  content: JsonContent,
  steps: Steps,
  { entry, before, patch }: Patched,
  expires: Expires | undefined,
): Promise<{ readonly value: unknown } | null> {
  if (patch === undefined && expires === undefined) return { value: before };
  const settled =
    patch === undefined
      ? null
      : await content.settle(
          isJsonObject(before) && isJsonObject(patch) ? { ...before, ...patch } : patch,
        );
  const isDone = await steps.replace(
    entry,
    settled === null ? (entry.value as Content) : content.of(settled),
    expires,
  );
  return isDone ? { value: settled === null ? before : settled.value } : null;
}

/** `update()` of a JSON field: reads, calls the function and writes, until no other write came. */
export async function updateJson(
  cell: Cell,
  content: JsonContent,
  change: (value: never) => unknown,
  options: FieldWriteOptions | undefined,
): Promise<unknown> {
  if (typeof change !== "function")
    throw new KvError("KV_INVALID_VALUE", "update() takes a function", {
      client: cell.client,
      key: cell.full,
    });
  const expires = cell.expiryOf(options);
  const result = await untilDone(async () => {
    const attempt = await cell.inTurn("write", async (steps) => {
      const found = await patched(content, steps, change);
      if (found === null) return { value: undefined };
      if (!isThenable(found.patch)) return applied(content, steps, found, expires);
      const patch = Promise.resolve(found.patch);
      patch.catch(() => {});
      return { ...found, patch };
    });
    if (attempt === null || !("patch" in attempt)) return attempt;
    // The turn is over: the caller's function takes its time, and may use this field.
    const found = { ...attempt, patch: await attempt.patch };
    return cell.inTurn("write", (steps) => applied(content, steps, found, expires));
  });
  return result.value;
}
