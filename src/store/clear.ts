import type { StoreContext } from "./context.ts";
import { type Guarded, guardOf } from "./guarded.ts";
import { lanesOf } from "../concurrency/lanes.ts";
import { writeManyNow } from "./many.ts";
import { batches, whole } from "./pages.ts";
import { orderIn, WHOLE } from "./perform.ts";
import { performGuarded } from "./perform-guarded.ts";
import { pruneAll, sweptBy } from "./sweep.ts";

/** `store.clear()` */
export async function clearStore(context: StoreContext): Promise<void> {
  return performGuarded(
    context,
    { writeUnder: context.prefix },
    (adapter) => clearNow(context, adapter),
    WHOLE,
  );
}

async function clearNow(context: StoreContext, adapter: Guarded): Promise<void> {
  const { prefix } = context;
  if (adapter.clear !== undefined) return adapter.clear(prefix);
  // Some clients skip keys when others are deleted during a listing. So this lists again, for as
  // long as that finds fewer keys.
  for (let before = Infinity, found = 0; ; before = found) {
    found = 0;
    for await (const batch of batches(adapter, whole(prefix), false)) {
      const keys = batch.map(([key]) => key).filter((key) => key !== prefix);
      found += keys.length;
      await writeManyNow(
        context,
        keys.map((key) => ({ key, record: null })),
        adapter,
      );
    }
    if (found === 0 || found >= before) return;
  }
}

/** `store.prune()` */
export async function pruneStore(context: StoreContext): Promise<number> {
  const { connection, prefix, timeout } = context;
  const adapter = await guardOf(connection, timeout);
  await lanesOf(orderIn(context)).settled(prefix);
  return pruneAll(sweptBy(context, adapter), prefix);
}
