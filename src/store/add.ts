import { customRandom } from "nanoid";
import type { SetOptions } from "../api.ts";
import { locate, recordOf } from "./checked.ts";
import type { StoreContext } from "./context.ts";
import { KvError } from "../errors.ts";
import { writeManyNow } from "./many.ts";
import { performGuarded } from "./perform-guarded.ts";
import { sweepAfter } from "./sweep-schedule.ts";
import { stampFor } from "../record/version.ts";

// With the random bytes of the platform: nanoid's own need Node's Buffer, which a bundle for a
// worker may not have.
const newKey = customRandom(
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  24,
  (size) => crypto.getRandomValues(new Uint8Array(size)),
);

function checkAdded(value: unknown, options: unknown): void {
  if (value === null || value === undefined)
    throw new KvError(
      "KV_INVALID_VALUE",
      `add() cannot keep ${value}: only set() takes it, to delete`,
    );
  if (typeof options === "string")
    throw new KvError(
      "KV_INVALID_EXPIRES",
      'add() makes the key: write add(value, { expires: "1h" }), or set(key, value)',
    );
}

/** `store.add()` */
export async function addValue(
  context: StoreContext,
  value: unknown,
  given?: SetOptions,
): Promise<string> {
  const { connection, prefix } = context;
  checkAdded(value, given);
  const key = newKey();
  const inner = given?.prefix ?? "";
  const full = locate(context, key, inner);
  // A number may be the index that map() passes: it is ignored.
  const options = typeof given === "number" ? undefined : given;
  const record = recordOf(context, full, value, options, stampFor(connection.source));
  const added = await performGuarded(context, { write: [full] }, async (adapter) => {
    if (adapter.add !== undefined && record !== null) return adapter.add(prefix + inner, record);
    await writeManyNow(context, [{ key: full, record }], adapter);
    return key;
  });
  await sweepAfter(context, 1);
  return added;
}
