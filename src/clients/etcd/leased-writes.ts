import { encodeRecord } from "../../record/text-format.ts";
import type { Write } from "../../record/types.ts";
import { type EtcdOperation, isLeaseLost } from "./calls.ts";
import { encodeText, type EtcdKeys } from "./keys.ts";
import type { EtcdLeases } from "./leases.ts";

/** Writes as operations, whose records are bound to leases. */
export class LeasedWrites {
  readonly #keys: EtcdKeys;
  readonly #leases: EtcdLeases;

  constructor(keys: EtcdKeys, leases: EtcdLeases) {
    this.#keys = keys;
    this.#leases = leases;
  }

  async #operation({ key, record }: Write): Promise<EtcdOperation> {
    const bytes = this.#keys.bytes(key);
    if (record === null) return { request_delete_range: { key: bytes } };
    const lease = await this.#leases.for(record.expires);
    return { request_put: { key: bytes, value: encodeText(encodeRecord(record)), lease } };
  }

  /**
   * Works with the operations of some writes. Tries a second time with new leases when the server
   * does not know the remembered ones.
   */
  readonly leased = async <T>(
    writes: readonly Write[],
    work: (operations: readonly EtcdOperation[]) => Promise<T>,
  ): Promise<T> => {
    const operations = await Promise.all(writes.map((write) => this.#operation(write)));
    try {
      return await work(operations);
    } catch (error) {
      if (!isLeaseLost(error)) throw error;
      this.#leases.forget(operations.map(({ request_put }) => request_put?.lease));
      return work(await Promise.all(writes.map((write) => this.#operation(write))));
    }
  };
}
