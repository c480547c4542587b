import { checkKey, checkKeys, checkTotal, checkType, typeOf } from "./checks.ts";
import type { Kept } from "./kept.ts";
import { asText, convert } from "./payload.ts";
import type { NamespaceRecords } from "./records.ts";
import type { Rules } from "./refusal.ts";
import type { ValueWithMetadata } from "./types.ts";

/** The reading methods of a namespace. */
export class Reads {
  readonly #records: NamespaceRecords;
  readonly #rules: Rules;

  constructor(records: NamespaceRecords, rules: Rules) {
    this.#records = records;
    this.#rules = rules;
  }

  async get(key: unknown, typeOrOptions?: unknown): Promise<unknown> {
    if (Array.isArray(key)) return this.#many(key, typeOrOptions, "get()", (_kept, value) => value);
    const [kept, type] = await this.#one(key, typeOrOptions, "get()");
    return this.#convert(kept, type);
  }

  async getWithMetadata(key: unknown, typeOrOptions?: unknown): Promise<unknown> {
    const where = "getWithMetadata()";
    if (Array.isArray(key))
      return this.#many(key, typeOrOptions, where, (kept, value) => this.#item(kept, value));
    const [kept, type] = await this.#one(key, typeOrOptions, where);
    return describe(kept, this.#convert(kept, type));
  }

  async #one(
    key: unknown,
    typeOrOptions: unknown,
    where: string,
  ): Promise<[kept: Kept | null, type: unknown]> {
    const checked = checkKey(key, "GET", this.#rules);
    const type = typeOf(typeOrOptions, "GET", this.#rules, where);
    return [await this.#records.read(checked), type];
  }

  #convert(kept: Kept | null, type: unknown): unknown {
    if (kept === null) return null;
    checkType(type, this.#rules);
    return convert(kept.payload, type, this.#rules);
  }

  /** The values of many keys, by the keys in their order. */
  async #many<T>(
    keys: readonly unknown[],
    typeOrOptions: unknown,
    where: string,
    take: (kept: Kept | null, value: unknown) => T,
  ): Promise<Map<string, T>> {
    const rules = this.#rules;
    const type = typeOf(typeOrOptions, "GET_BULK", rules, where);
    const names = checkKeys(keys, rules);
    const found = await this.#records.readMany(names);
    if (rules.isWorkers)
      checkTotal(
        found.reduce((sum, kept) => sum + (kept === null ? 0 : asText(kept.payload).length), 0),
        rules,
      );
    return new Map(
      names.map((name, i) => [name, take(found[i]!, this.#convertOfMany(found[i]!, type))]),
    );
  }

  #convertOfMany(kept: Kept | null, type: unknown): unknown {
    try {
      return this.#convert(kept, type);
    } catch {
      return this.#rules.refuse(
        "KV_INVALID_VALUE",
        "KV GET_BULK failed: 400 At least one of the requested keys corresponds to a " +
          `non-${String(type)} value`,
      );
    }
  }

  /** One item of a bulk read. Workers KV tells less about it than about a single read. */
  #item(kept: Kept | null, value: unknown): unknown {
    if (!this.#rules.isWorkers) return describe(kept, value);
    return value === null ? null : { value, metadata: kept?.metadata ?? null };
  }
}

const describe = (kept: Kept | null, value: unknown): ValueWithMetadata<unknown> => ({
  value,
  metadata: kept?.metadata ?? null,
  expiration: kept?.expiration ?? null,
  cacheStatus: null,
});
