import { KvError } from "../errors.ts";
import { runInTurn } from "../store/turns.ts";
import type { Expires } from "../types.ts";
import type { FieldWriteOptions } from "./fields.ts";
import { Place } from "./place.ts";
import { Steps } from "./steps.ts";
import type { StructureReads, StructureWrites } from "../clients/adapter.ts";

/** The operations on one field, in call order. */
export class Cell extends Place {
  /**
   * Runs an operation in call order, as one operation on this field.
   *
   * @param others fields of the same client that it reads, too.
   */
  inTurn<T>(
    access: "read" | "write",
    work: (steps: Steps, stepsOf: (place: Place) => Steps) => Promise<T>,
    others: readonly Place[] = [],
  ): Promise<T> {
    const keys = [this, ...others].map(({ full }) => full);
    return runInTurn(this.base.context, { [access]: keys }, (adapter) =>
      work(new Steps(this, adapter), (place) => new Steps(place, adapter)),
    );
  }

  /** Reads something of the field. */
  async read<Name extends keyof StructureReads>(
    name: Name,
    ...args: Parameters<StructureReads[Name]>
  ): Promise<ReturnType<StructureReads[Name]>> {
    return this.inTurn("read", (steps) => steps.read(name, ...args));
  }

  /** Changes something of the field. */
  async write<Name extends keyof StructureWrites>(
    options: FieldWriteOptions | undefined,
    name: Name,
    ...args: Parameters<StructureWrites[Name]>
  ): Promise<ReturnType<StructureWrites[Name]>> {
    const expires = this.expiryOf(options);
    return this.inTurn("write", (steps) => steps.write(expires, name, ...args));
  }

  async erase(): Promise<void> {
    await this.inTurn("write", (steps) => steps.erase());
  }

  /** Moves the deadline, if the field is there. */
  async touch(expires: Expires, isThere: (steps: Steps) => Promise<boolean>): Promise<boolean> {
    if (expires === undefined)
      throw new KvError("KV_INVALID_EXPIRES", "touch() needs an expiry: null for never", {
        client: this.client,
        key: this.full,
      });
    this.deadline(expires);
    return this.inTurn("write", (steps) => steps.touch(expires, isThere));
  }
}
