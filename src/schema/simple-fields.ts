import { base64urlToBytes, bytesToBase64url } from "../record/bytes.ts";
import { KvError } from "../errors.ts";
import type { Cell } from "./cell.ts";
import { finite, fail, checkText } from "./checks.ts";
import { fieldOf, watchCell } from "./field-base.ts";
import type { BooleanField, BytesField, NumberField, StringField, WholeField } from "./fields.ts";

/**
 * A field that is one record: `encode` checks a value and makes its stored form; `decode` is
 * `undefined` for any other form.
 */
function recordField<T>(
  cell: Cell,
  encode: (value: unknown) => unknown,
  decode: (state: unknown) => T | undefined,
): WholeField<T, T> {
  async function read(): Promise<T | undefined> {
    const content = await cell.inTurn("read", (steps) => steps.content());
    if (content === null) return undefined;
    const value = decode(content[cell.kind]);
    if (value === undefined)
      throw new KvError(
        "KV_CORRUPT",
        `what is kept under ${JSON.stringify(cell.full)} is damaged: write() replaces it`,
        { client: cell.client, key: cell.full },
      );
    return value;
  }
  return {
    ...fieldOf(cell, async (steps) => (await steps.content()) !== null),
    read,
    async write(value, options) {
      const content = { [cell.kind]: encode(value) };
      const expires = cell.expiryOf(options);
      await cell.inTurn("write", (steps) => steps.put(content, expires));
    },
    watch: (options) =>
      watchCell(
        cell,
        async () => read(),
        options,
        (value) => (value instanceof Uint8Array ? bytesToBase64url(value) : value),
      ),
  };
}

export function stringField(cell: Cell): StringField {
  return recordField(
    cell,
    (value) => checkText(cell, value),
    (state) => (typeof state === "string" ? state : undefined),
  );
}

export function booleanField(cell: Cell): BooleanField {
  return recordField(
    cell,
    (value) => (typeof value === "boolean" ? value : fail(cell, "a boolean", value)),
    (state) => (typeof state === "boolean" ? state : undefined),
  );
}

/** Whether something is a Uint8Array, of any realm. */
const isBytes = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]";

export function bytesField(cell: Cell): BytesField {
  const decode = (state: unknown): Uint8Array | undefined =>
    typeof state === "string" && /^[\w-]*$/.test(state) ? base64urlToBytes(state) : undefined;
  return recordField<Uint8Array>(
    cell,
    (value) => (isBytes(value) ? bytesToBase64url(value) : fail(cell, "a Uint8Array", value)),
    decode,
  );
}

export function numberField(cell: Cell): NumberField {
  const read = async (): Promise<number | undefined> =>
    (await cell.read("number.read")) ?? undefined;
  return {
    ...fieldOf(cell, async (steps) => (await steps.read("number.read")) !== null),
    read,
    write: async (value, options) => cell.write(options, "number.write", finite(cell, value)),
    async increment(by = 1, options) {
      const sum = await cell.write(options, "number.increment", finite(cell, by));
      if (sum === null)
        throw new KvError("KV_INVALID_VALUE", "the sum is beyond what a number holds exactly", {
          client: cell.client,
          key: cell.full,
        });
      return sum;
    },
    watch: (options) => watchCell(cell, read, options),
  };
}
