import type { Cell } from "./cell.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import { JsonContent } from "./json-content.ts";
import type { JsonType } from "./json-type.ts";
import { updateJson } from "./json-update.ts";
import type { JsonField } from "./json-value.ts";
import type { Content } from "./steps.ts";

/** The value of a JSON field. A value of an older version is also written anew. */
async function readJson(cell: Cell, content: JsonContent): Promise<unknown> {
  const entry = await cell.inTurn("read", (steps) => steps.entry());
  if (entry === null) return undefined;
  const { value, old } = await content.read(entry.value as Content);
  if (!old) return value;
  const settled = await content.settle(value);
  const write = {
    key: cell.key,
    value: content.of(settled),
    expires: entry.expires === null ? null : new Date(entry.expires),
  };
  // This write may fail: a later writer has written the new version, and after an error of the
  // client the next reader tries again.
  if (entry.version !== null)
    await cell.base.store
      .commit([{ key: cell.key, version: entry.version }], [write])
      .catch(() => {});
  return settled.value;
}

/**
 * The field of a JSON value. The schema determines the types of its values, which only the type of
 * the store knows.
 */
export function jsonField(cell: Cell, type: JsonType): JsonField<never, never> {
  const content = new JsonContent(cell, type);
  const read = async (): Promise<undefined> => (await readJson(cell, content)) as undefined;
  return {
    ...fieldOf(cell, async (steps) => (await steps.content()) !== null),
    read,
    async write(value: unknown, options) {
      const expires = cell.expiryOf(options);
      // This copies the value at once: the caller may change it afterwards.
      const settling = content.settle(value);
      settling.catch(() => {});
      return cell.inTurn("write", async (steps) => {
        const settled = await settling;
        await steps.put(content.of(settled), expires);
        return settled.value as never;
      });
    },
    update: async (change, options) =>
      (await updateJson(cell, content, change, options)) as undefined,
    watch: (options) =>
      watchCell(cell, read, options, (value) =>
        value === undefined ? undefined : content.encode(value),
      ),
  };
}
